export type { VacuumOptions } from './vacuum.js';
export type { CheckpointRequest, ParquetEncoder } from './encoder.js';
export { DeltaTable } from './delta-table.js';
export { dedupeRows } from './merge.js';
export { openTable, type OpenTableOptions } from './open-table.js';
export { parquetEncoder, type ParquetEncoderOptions } from './parquet-encoder.js';
export type { Cell, Column, ColumnType, Row, Table, TableCommit, TableSchema } from './table.js';
