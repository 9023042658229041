import { type MonoTypeOperatorFunction, Observable, type OperatorFunction } from 'rxjs';
import { type Delivery, perMessage } from '../../operators/index.js';
import { PenstockError } from '../diagnostics/index.js';
import type { TableRow } from './table-progress.js';
import { type TableWriterOptions, type TableWriterState, Writing } from './table-writing.js';

export type { TableRow } from './table-progress.js';
export type { TableWriterOptions, TableWriterState } from './table-writing.js';

export interface TableWriter {
  /** Stands first behind the source: learns which deliveries there are, in what order, and when their doors are durable. */
  track<T>(): MonoTypeOperatorFunction<Delivery<T>>;
  /**
   * Writes rows and settles them as delivered. One subscription at a time.
   *
   * A commit holds, of each partition, only deliveries before which nothing is missing: each of them has its rows in this commit, or a door that is
   * durable already. So a slow row, or one whose retry record is not yet written, holds back those behind it. Rows that a table records as written
   * are settled and not written again. A row that the table refuses fails alone (`PS4109`). A commit that fails for a passing reason is tried again until it
   * succeeds, while the rows stay here; one that fails for good is cut in halves until the row at fault stands alone and fails.
   *
   * Holds rows up to what the source's credits allow. On completion it writes what it holds and then completes; what waits for a released delivery
   * is released too. Unsubscribing releases what is held.
   */
  write(): OperatorFunction<Delivery<TableRow>, Delivery<TableRow>>;
  /** Writes what may be written now, and from now on waits for nothing that was released: a source that drains does not hand it out again. */
  drain(): void;
  /** The partition went to another member: what it held is let go. Call it when its assignment is lost. */
  lost(topic: string, partition: number): void;
  state(): TableWriterState;
}

/** A writer of rows into tables, exactly once for each offset of a partition. */
export function tableWriter(options: TableWriterOptions): TableWriter {
  let current: Writing | undefined;
  let draining = false;
  return {
    track: <T>() => perMessage<T>(() => (_value, delivery) => current?.progress.track(delivery) ?? delivery),
    write: () => (source) =>
      new Observable<Delivery<TableRow>>((subscriber) => {
        const writing = new Writing(options, subscriber);
        current = writing;
        if (draining) writing.drain();
        const subscription = source.subscribe({
          next: (delivery) => writing.take(delivery),
          error: (error: unknown) => {
            writing.stop('the source failed');
            subscriber.error(error);
          },
          complete: () => writing.complete(),
        });
        return () => {
          writing.stop('unsubscribed');
          subscription.unsubscribe();
        };
      }),
    drain: () => {
      draining = true;
      current?.drain();
    },
    lost: (topic, partition) => {
      current?.lost(topic, partition);
    },
    state: () => current?.state() ?? { rows: 0, bytes: 0, fault: undefined, waitingFor: [] },
  };
}

/**
 * Throws `PS3004` when a partition's log ends before what a table records of it: somebody has put an older log in place, and new deliveries would pass for
 * ones that are written already. `ends` are the offsets that the partitions' next records will get. Ask this before a writer starts.
 */
export async function checkLogEnds(
  { tables, appId }: Pick<TableWriterOptions, 'tables' | 'appId'>,
  ends: readonly { readonly topic: string; readonly partition: number; readonly end: number }[],
): Promise<void> {
  for (const { topic, partition, end } of ends) {
    for (const table of Object.values(tables)) {
      const recorded = await table.txn(appId(topic, partition));
      if (recorded === undefined || recorded <= end) continue;
      throw new PenstockError(
        'PS3004',
        `table ${table.schema.name} has rows of ${topic}[${String(partition)}] up to offset ${String(recorded)}, the log ends at ${String(end)}`,
        {
          category: 'permanent',
          help: 'put the newer log back, or give the topic a new identity by making it again',
        },
      );
    }
  }
}
