import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;

/** For each line "topic partition": rotates the replicas, elects the first of them, and says "leader N", or what went wrong. */
public class LeaderMover {
  public static void main(String[] args) throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", args[0], "default.api.timeout.ms", "20000", "request.timeout.ms", "10000"));
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in))) {
      String line;
      while ((line = in.readLine()) != null) {
        String[] words = line.split(" ");
        try {
          System.out.println("leader " + move(admin, new TopicPartition(words[0], Integer.parseInt(words[1]))));
        } catch (Exception error) {
          System.out.println("error " + String.valueOf(error).replace('\n', ' '));
        }
        System.out.flush();
      }
    }
  }

  private static int move(Admin admin, TopicPartition partition) throws Exception {
    TopicPartitionInfo info = describe(admin, partition);
    List<Integer> order = new ArrayList<>();
    for (Node node : info.replicas()) order.add(node.id());
    int leader = info.leader() == null ? order.get(0) : info.leader().id();
    while (order.get(0) != leader) order.add(order.remove(0));
    order.add(order.remove(0));
    int wanted = order.get(0);
    admin.alterPartitionReassignments(Map.of(partition, Optional.of(new NewPartitionReassignment(order)))).all().get(20, TimeUnit.SECONDS);
    for (int attempt = 0; attempt < 100; attempt += 1) {
      try {
        admin.electLeaders(ElectionType.PREFERRED, Set.of(partition)).partitions().get(20, TimeUnit.SECONDS);
      } catch (Exception error) {
        // Asked again below: the reassignment may still be under way.
      }
      Node now = describe(admin, partition).leader();
      if (now != null && now.id() == wanted) return wanted;
      Thread.sleep(20);
    }
    throw new IllegalStateException(partition + " is not led by " + wanted);
  }

  private static TopicPartitionInfo describe(Admin admin, TopicPartition partition) throws Exception {
    return admin.describeTopics(List.of(partition.topic())).allTopicNames().get(20, TimeUnit.SECONDS)
        .get(partition.topic()).partitions().get(partition.partition());
  }
}
