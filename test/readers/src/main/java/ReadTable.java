import io.delta.kernel.Scan;
import io.delta.kernel.Snapshot;
import io.delta.kernel.Table;
import io.delta.kernel.data.ColumnVector;
import io.delta.kernel.data.ColumnarBatch;
import io.delta.kernel.data.FilteredColumnarBatch;
import io.delta.kernel.data.Row;
import io.delta.kernel.defaults.engine.DefaultEngine;
import io.delta.kernel.engine.Engine;
import io.delta.kernel.internal.InternalScanFileUtils;
import io.delta.kernel.internal.data.ScanStateRow;
import io.delta.kernel.types.BooleanType;
import io.delta.kernel.types.DataType;
import io.delta.kernel.types.DateType;
import io.delta.kernel.types.DoubleType;
import io.delta.kernel.types.LongType;
import io.delta.kernel.types.StringType;
import io.delta.kernel.types.StructType;
import io.delta.kernel.types.TimestampType;
import io.delta.kernel.utils.CloseableIterator;
import io.delta.kernel.utils.FileStatus;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;

/** Prints each table that is named as a line `# name` and then a row a line: one text a cell, as JSON, in the order of the columns. */
public final class ReadTable {
  public static void main(String[] tables) throws Exception {
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    Engine engine = DefaultEngine.create(new Configuration());
    for (String path : tables) {
      out.println("# " + path);
      Snapshot snapshot = Table.forPath(engine, path).getLatestSnapshot(engine);
      StructType schema = snapshot.getSchema();
      out.println("@ " + String.join(",", schema.fieldNames()));
      Scan scan = snapshot.getScanBuilder().build();
      Row state = scan.getScanState(engine);
      StructType physical = ScanStateRow.getPhysicalDataReadSchema(state);
      try (CloseableIterator<FilteredColumnarBatch> files = scan.getScanFiles(engine)) {
        while (files.hasNext()) {
          try (CloseableIterator<Row> rows = files.next().getRows()) {
            while (rows.hasNext()) printFile(engine, state, physical, rows.next(), schema, out);
          }
        }
      }
    }
    out.flush();
  }

  private static void printFile(Engine engine, Row state, StructType physical, Row file, StructType schema, PrintStream out) throws Exception {
    FileStatus status = InternalScanFileUtils.getAddFileStatus(file);
    CloseableIterator<FileStatus> one = io.delta.kernel.internal.util.Utils.singletonCloseableIterator(status);
    CloseableIterator<ColumnarBatch> read =
        engine.getParquetHandler().readParquetFiles(one, physical, Optional.empty()).map(result -> result.getData());
    try (CloseableIterator<FilteredColumnarBatch> batches = Scan.transformPhysicalData(engine, state, file, read)) {
      while (batches.hasNext()) {
        FilteredColumnarBatch batch = batches.next();
        ColumnarBatch data = batch.getData();
        for (int row = 0; row < data.getSize(); row++) {
          if (batch.getSelectionVector().isPresent() && !batch.getSelectionVector().get().getBoolean(row)) continue;
          StringBuilder line = new StringBuilder("[");
          for (int column = 0; column < schema.length(); column++) {
            if (column > 0) line.append(',');
            line.append(cell(data.getColumnVector(column), schema.at(column).getDataType(), row));
          }
          out.println(line.append(']'));
        }
      }
    }
  }

  private static String cell(ColumnVector vector, DataType type, int row) {
    if (vector.isNullAt(row)) return "null";
    if (type instanceof StringType) return json(vector.getString(row));
    if (type instanceof LongType) return json(Long.toString(vector.getLong(row)));
    if (type instanceof DoubleType) return json(Long.toHexString(Double.doubleToLongBits(vector.getDouble(row))));
    if (type instanceof BooleanType) return json(Boolean.toString(vector.getBoolean(row)));
    if (type instanceof TimestampType) return json(Long.toString(vector.getLong(row)));
    if (type instanceof DateType) return json(Integer.toString(vector.getInt(row)));
    throw new IllegalStateException("a column of type " + type);
  }

  private static String json(String text) {
    StringBuilder out = new StringBuilder("\"");
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c < 0x20 || c == '"' || c == '\\' || c > 0x7e) out.append(String.format("\\u%04x", (int) c));
      else out.append(c);
    }
    return out.append('"').toString();
  }
}
