import type { ColumnType, TableSchema } from '../../src/storage/delta/index.js';

/** A schema from `name: type`. */
export function schemaOf(columns: Readonly<Record<string, ColumnType>>, rest: Partial<TableSchema> = {}): TableSchema {
  return {
    name: 'things',
    about: 'Things.',
    columns: Object.entries(columns).map(([name, type]) => ({ name, type, about: `The ${name}.` })),
    partitionBy: [],
    mode: 'append',
    key: [],
    preserveOnUpdate: [],
    ...rest,
  };
}
