import { PenstockError } from '../../diagnostics/index.js';
import type { MetaDataAction, ProtocolAction } from './actions.js';
import type { ColumnType, TableSchema } from './table.js';

const DELTA_TYPES: Readonly<Record<ColumnType, string>> = {
  text: 'string',
  int64: 'long',
  double: 'double',
  boolean: 'boolean',
  timestamp: 'timestamp',
  date: 'date',
};

/** The lowest versions there are: every reader and writer knows them. */
export const PROTOCOL: ProtocolAction = { minReaderVersion: 1, minWriterVersion: 2 };

/** Throws when a schema contradicts itself: doubled names, keys or partitions that are no columns, a mode without a key. */
export function checkSchema(schema: TableSchema): void {
  const names = new Set<string>();
  for (const column of schema.columns) {
    if (names.has(column.name.toLowerCase())) throw wrong(schema, `has two columns called ${column.name} (case does not count)`);
    names.add(column.name.toLowerCase());
  }
  for (const name of [...schema.partitionBy, ...schema.key, ...schema.preserveOnUpdate]) {
    if (!schema.columns.some((column) => column.name === name)) throw wrong(schema, `names the column ${name}, which it does not have`);
  }
  for (const column of schema.columns) {
    if (!schema.partitionBy.includes(column.name) || !['double', 'timestamp'].includes(column.type)) continue;
    throw wrong(schema, `is partitioned by ${column.name}: a ${column.type} has no one spelling, use text, date, int64 or boolean`);
  }
  if (schema.mode !== 'append' && schema.key.length === 0) throw wrong(schema, `is written by ${schema.mode} and has no key`);
  if (schema.columns.length === schema.partitionBy.length) throw wrong(schema, 'has no column besides those that partition it');
}

function wrong(schema: TableSchema, what: string): PenstockError {
  return new PenstockError('PS7000', `the schema of table ${schema.name} ${what}`, { category: 'permanent' });
}

/** The schema as the log's `metaData` writes it. */
export function schemaString(schema: TableSchema): string {
  return JSON.stringify({
    type: 'struct',
    fields: schema.columns.map((column) => ({
      name: column.name,
      type: DELTA_TYPES[column.type],
      nullable: true,
      metadata: { comment: column.about },
    })),
  });
}

interface LoggedField {
  readonly name: string;
  readonly type: unknown;
  readonly nullable?: boolean;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/**
 * Throws `PS3005` when a table on disk is not one that this schema and this program can write: other columns, other partitions, or a protocol with
 * features that are not known here.
 */
export function checkExisting(
  schema: TableSchema,
  directory: string,
  protocol: ProtocolAction | undefined,
  metaData: MetaDataAction | undefined,
): void {
  const refuse = (why: string): PenstockError =>
    new PenstockError('PS3005', `table ${schema.name} in ${directory} ${why}`, {
      category: 'permanent',
      help: 'move the directory away, or point this table at another one',
    });
  if (protocol === undefined || metaData === undefined) throw refuse('has a log without protocol or schema');
  if (protocol.minReaderVersion > 1 || protocol.minWriterVersion > 2) {
    throw refuse(`needs protocol ${String(protocol.minReaderVersion)}/${String(protocol.minWriterVersion)}, known here is 1/2`);
  }
  if (metaData.format.provider !== 'parquet') throw refuse(`holds files of the format ${metaData.format.provider}, expected parquet`);
  if (schema.mode === 'merge' && metaData.configuration?.['delta.appendOnly'] === 'true')
    throw refuse('may only be appended to (delta.appendOnly)');
  const fields = (JSON.parse(metaData.schemaString) as { readonly fields: readonly LoggedField[] }).fields;
  const wanted = schema.columns.map((column) => `${column.name} ${DELTA_TYPES[column.type]}`);
  const there = fields.map((field) => `${field.name} ${describe(field)}`);
  const missing = wanted.filter((column) => !there.includes(column));
  const extra = there.filter((column) => !wanted.includes(column));
  if (missing.length > 0 || extra.length > 0) {
    throw refuse(`has another schema: it lacks [${missing.join(', ')}] and has [${extra.join(', ')}]`);
  }
  if (metaData.partitionColumns.join('\n') !== schema.partitionBy.join('\n')) {
    throw refuse(`is partitioned by [${metaData.partitionColumns.join(', ')}], expected [${schema.partitionBy.join(', ')}]`);
  }
}

function describe(field: LoggedField): string {
  const type = typeof field.type === 'string' ? field.type : 'a nested type';
  if (field.nullable === false) return `${type} not null`;
  return field.metadata?.['delta.invariants'] === undefined ? type : `${type} with an invariant`;
}
