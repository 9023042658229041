// What a service needs that mounts a worker on a source and a sink of its own; every worker's door has it.
export type { Outcome } from '../../../../operators/index.js';
export { records, type RecordsOptions } from '../../../runtime/records.js';
export type { Sink } from '../../../runtime/sink.js';
export { eachRow, type RowFor, type RowSink } from '../../../runtime/table-rows.js';
export type { Settled } from '../../../runtime/worker.js';
export type { Row } from '../../../storage/delta/table.js';
export type { LogRecord, NewRecord } from '../../../transport/transport.js';
export type { XactChains, XactWorkerOptions } from './shell.js';
