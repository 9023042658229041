import {
  Bool,
  type Data,
  DateDay,
  type DataType,
  Field,
  Float64,
  Int64,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table as ArrowTable,
  tableFromIPC,
  tableToIPC,
  TimestampMicrosecond,
  Utf8,
} from 'apache-arrow';
import * as parquet from 'parquet-wasm';
import { bits, hasBit, setBit, type ColumnBatch, type ColumnData } from './columns.js';
import type { Column, ColumnType } from './table.js';

export type Compression = 'zstd' | 'snappy';

/** Longer texts are hardly ever repeated: a dictionary of them is built for nothing. */
const DICTIONARY_BYTES = 64;

const ARROW_TYPES: Readonly<Record<ColumnType, () => DataType>> = {
  text: () => new Utf8(),
  int64: () => new Int64(),
  double: () => new Float64(),
  boolean: () => new Bool(),
  timestamp: () => new TimestampMicrosecond('UTC'),
  date: () => new DateDay(),
};

/** A Parquet file of one row group: V1 pages, a chunk's statistics, dictionaries where values are short. */
export function encodeBatch(batch: ColumnBatch, compression: Compression): Uint8Array {
  const fields = batch.columns.map((column) => new Field(column.name, ARROW_TYPES[column.type](), true));
  const children = batch.columns.map((column, i) => arrowData(column, fields[i]!.type, batch.rows));
  let properties = new parquet.WriterPropertiesBuilder()
    .setWriterVersion(parquet.WriterVersion.V1)
    .setCompression(compression === 'zstd' ? parquet.Compression.ZSTD : parquet.Compression.SNAPPY)
    .setStatisticsEnabled(parquet.EnabledStatistics.Chunk)
    .setMaxRowGroupSize(Math.max(1, batch.rows))
    .setCreatedBy('penstock');
  for (const column of batch.columns) {
    const long = column.offsets !== undefined && column.values.byteLength > batch.rows * DICTIONARY_BYTES;
    if (long) properties = properties.setColumnDictionaryEnabled(column.name, false);
  }
  return writeTable(fields, children, batch.rows, properties.build());
}

/** Hands Arrow columns to the Parquet writer. */
export function writeTable(
  fields: readonly Field[],
  children: readonly Data[],
  rows: number,
  properties: parquet.WriterProperties,
): Uint8Array {
  const struct = makeData({ type: new Struct([...fields]), length: rows, nullCount: 0, children: [...children] });
  const table = new ArrowTable([new RecordBatch(new Schema([...fields]), struct)]);
  return parquet.writeParquet(parquet.Table.fromIPCStream(tableToIPC(table, 'stream')), properties);
}

function arrowData(column: ColumnData, type: DataType, rows: number): Data {
  const { nullCount, valid, values, offsets } = column;
  const common = { type, length: rows, nullCount, nullBitmap: valid, data: values };
  return makeData(
    (offsets === undefined ? common : { ...common, valueOffsets: offsets }) as unknown as Parameters<typeof makeData>[0],
  ) as Data;
}

/** Reads some columns of a file; a column that the file lacks is all null. */
export async function decodeBatch(bytes: Uint8Array, columns: readonly Pick<Column, 'name' | 'type'>[]): Promise<ColumnBatch> {
  return reading(bytes, async (file) => {
    const there = new Set(tableFromIPC(file.schema().intoIPCStream()).schema.fields.map(({ name }) => name));
    const asked = columns.map(({ name }) => name).filter((name) => there.has(name));
    const rows = file.metadata().fileMetadata().numRows();
    const table = asked.length === 0 ? undefined : await tableOf(file, asked);
    return {
      rows,
      columns: columns.map(({ name, type }) => {
        const chunks = table?.getChild(name)?.data ?? [];
        return chunks.length === 0 ? emptyColumn(name, type, rows) : gather(name, type, chunks as readonly Data[], rows);
      }),
    };
  });
}

/** Reads a whole file into Arrow columns. */
export async function readTable(bytes: Uint8Array): Promise<ArrowTable> {
  return reading(bytes, (file) => tableOf(file));
}

async function tableOf(file: parquet.ParquetFile, columns?: string[]): Promise<ArrowTable> {
  const read = await file.read({ batchSize: 1_000_000, ...(columns === undefined ? {} : { columns }) });
  return tableFromIPC(read.intoIPCStream());
}

/** Opens a file by the one of the library's readers that passes over columns which were not asked for. */
async function reading<T>(bytes: Uint8Array, read: (file: parquet.ParquetFile) => Promise<T>): Promise<T> {
  const file = await parquet.ParquetFile.fromFile(new Blob([bytes as Uint8Array<ArrayBuffer>]));
  try {
    return await read(file);
  } finally {
    file.free();
  }
}

function emptyColumn(name: string, type: ColumnType, rows: number): ColumnData {
  const valid = bits(rows);
  if (type === 'text') return { name, type, nullCount: rows, valid, values: new Uint8Array(0), offsets: new Int32Array(rows + 1) };
  return { name, type, nullCount: rows, valid, values: fixed(type, rows), offsets: undefined };
}

function fixed(type: Exclude<ColumnType, 'text'>, rows: number): ColumnData['values'] {
  if (type === 'boolean') return bits(rows);
  if (type === 'double') return new Float64Array(rows);
  return type === 'date' ? new Int32Array(rows) : new BigInt64Array(rows);
}

/** Puts the chunks of an Arrow column one after the other, in memory of their own. */
function gather(name: string, type: ColumnType, chunks: readonly Data[], rows: number): ColumnData {
  const nullCount = chunks.reduce((sum, chunk) => sum + chunk.nullCount, 0);
  const valid = nullCount === 0 ? undefined : bits(rows);
  if (valid !== undefined) {
    forEachRow(chunks, (chunk, at, row) => {
      if (chunk.nullCount === 0 || hasBit(chunk.nullBitmap, chunk.offset + at)) setBit(valid, row);
    });
  }
  if (type === 'text') return { name, type, nullCount, valid, ...gatherText(chunks, rows) };
  const values = fixed(type, rows);
  if (type === 'boolean') {
    forEachRow(chunks, (chunk, at, row) => {
      if (hasBit(chunk.values as Uint8Array, chunk.offset + at)) setBit(values as Uint8Array, row);
    });
    return { name, type, nullCount, valid, values, offsets: undefined };
  }
  let row = 0;
  for (const chunk of chunks) {
    const part = (chunk.values as Int32Array).subarray(0, chunk.length);
    (values as Int32Array).set(part, row);
    row += chunk.length;
  }
  return { name, type, nullCount, valid, values, offsets: undefined };
}

function gatherText(chunks: readonly Data[], rows: number): { values: Uint8Array<ArrayBuffer>; offsets: Int32Array<ArrayBuffer> } {
  const offsets = new Int32Array(rows + 1);
  const total = chunks.reduce((sum, { valueOffsets, length }) => sum + (valueOffsets[length] as number) - (valueOffsets[0] as number), 0);
  const values = new Uint8Array(total);
  let end = 0;
  let row = 0;
  for (const { valueOffsets, values: bytes, length } of chunks) {
    const start = valueOffsets[0] as number;
    values.set((bytes as Uint8Array).subarray(start, valueOffsets[length] as number), end);
    for (let i = 1; i <= length; i += 1) offsets[row + i] = end + (valueOffsets[i] as number) - start;
    end = offsets[row + length]!;
    row += length;
  }
  return { values, offsets };
}

function forEachRow(chunks: readonly Data[], visit: (chunk: Data, at: number, row: number) => void): void {
  let row = 0;
  for (const chunk of chunks) for (let at = 0; at < chunk.length; at += 1, row += 1) visit(chunk, at, row);
}
