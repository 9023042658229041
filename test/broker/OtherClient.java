import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Writes and reads partition 0 of topics. "write CODEC TOPIC" and lines of records up to "." writes them, in one batch where they fit into one; "read
 * TOPIC" answers all that is there. Either answer ends with ".", or with "error" and what went wrong. A record is "KEY VALUE NAME:VALUE...", each base64,
 * "-" for nothing at all, "=" for no bytes.
 */
public class OtherClient {
  public static void main(String[] args) throws Exception {
    try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in))) {
      String line;
      while ((line = in.readLine()) != null) {
        String[] words = line.split(" ");
        try {
          if (words[0].equals("write")) write(args[0], words[1], words[2], in);
          else read(args[0], words[1]);
          System.out.println(".");
        } catch (Exception error) {
          System.out.println("error " + String.valueOf(error).replace('\n', ' '));
        }
        System.out.flush();
      }
    }
  }

  private static void write(String brokers, String codec, String topic, BufferedReader in) throws Exception {
    List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
    for (String line = in.readLine(); !line.equals("."); line = in.readLine()) {
      String[] words = line.split(" ");
      ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, 0, bytesIn(words[0]), bytesIn(words[1]));
      for (int each = 2; each < words.length; each += 1) {
        String[] header = words[each].split(":");
        record.headers().add(new String(bytesIn(header[0]), "UTF-8"), bytesIn(header[1]));
      }
      records.add(record);
    }
    Map<String, Object> settings = Map.of("bootstrap.servers", brokers, "compression.type", codec, "linger.ms", "500", "batch.size", "4000000",
        "max.request.size", "64000000", "buffer.memory", "128000000");
    try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
      List<Future<?>> sent = new ArrayList<>();
      for (ProducerRecord<byte[], byte[]> record : records) sent.add(producer.send(record));
      producer.flush();
      for (Future<?> each : sent) each.get();
    }
  }

  private static void read(String brokers, String topic) {
    TopicPartition partition = new TopicPartition(topic, 0);
    Map<String, Object> settings = Map.of("bootstrap.servers", brokers, "check.crcs", "true");
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.assign(List.of(partition));
      consumer.seekToBeginning(List.of(partition));
      long end = consumer.endOffsets(List.of(partition)).get(partition);
      while (consumer.position(partition) < end) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
          StringBuilder line = new StringBuilder(text(record.key())).append(' ').append(text(record.value()));
          for (Header header : record.headers()) line.append(' ').append(text(header.key().getBytes())).append(':').append(text(header.value()));
          System.out.println(line);
        }
      }
    }
  }

  private static byte[] bytesIn(String word) {
    return word.equals("-") ? null : Base64.getDecoder().decode(word.equals("=") ? "" : word);
  }

  private static String text(byte[] bytes) {
    if (bytes == null) return "-";
    return bytes.length == 0 ? "=" : Base64.getEncoder().encodeToString(bytes);
  }
}
