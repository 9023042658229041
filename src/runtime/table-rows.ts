import { identity, type MonoTypeOperatorFunction } from 'rxjs';
import { callEach, type Delivery } from '../../operators/index.js';
import type { Row } from '../storage/delta/table.js';

/** A row on its way to a table. */
export interface RowFor {
  readonly table: string;
  readonly row: Row;
}

/** Where a worker's rows go. */
export interface RowSink {
  /** Stands first behind the source: learns the order of its deliveries and how each left. */
  track<T>(): MonoTypeOperatorFunction<Delivery<T>>;
  /** Takes rows; each delivery goes on when its row is durable. */
  write(): MonoTypeOperatorFunction<Delivery<RowFor>>;
}

/** Rows go to a function of your own, one by one; a delivery goes on when its call has answered, and fails when that fails. */
export function eachRow(write: (table: string, row: Row) => unknown, concurrency = 16): RowSink {
  return {
    track: () => identity,
    write: () => callEach(({ table, row }) => write(table, row), { concurrency }),
  };
}
