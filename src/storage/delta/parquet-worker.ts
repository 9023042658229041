import { parentPort } from 'node:worker_threads';
import type { ThreadReply, ThreadRequest } from '../thread.js';
import { decodeCheckpoint, writeCheckpoint } from './checkpoint.js';
import { buffersOf, type ColumnBatch } from './columns.js';
import type { CheckpointRequest } from './encoder.js';
import { type Compression, decodeBatch, encodeBatch } from './parquet.js';
import type { Column } from './table.js';

/** What the thread is asked. */
export type Ask =
  | { readonly kind: 'encode'; readonly batch: ColumnBatch; readonly compression: Compression }
  | { readonly kind: 'decode'; readonly bytes: Uint8Array; readonly columns: readonly Pick<Column, 'name' | 'type'>[] }
  | { readonly kind: 'decodeCheckpoint'; readonly bytes: Uint8Array }
  | { readonly kind: 'checkpoint'; readonly request: CheckpointRequest };

async function answer(ask: Ask): Promise<{ readonly value: unknown; readonly transfer: readonly ArrayBuffer[] }> {
  switch (ask.kind) {
    case 'encode': {
      const value = encodeBatch(ask.batch, ask.compression) as Uint8Array<ArrayBuffer>;
      return { value, transfer: [value.buffer] };
    }
    case 'decode': {
      const value = await decodeBatch(ask.bytes, ask.columns);
      return { value, transfer: buffersOf(value) };
    }
    case 'decodeCheckpoint':
      return { value: await decodeCheckpoint(ask.bytes), transfer: [] };
    case 'checkpoint':
      return { value: await writeCheckpoint(ask.request), transfer: [] };
  }
}

parentPort?.on('message', (requests: readonly ThreadRequest<Ask>[]) => requests.forEach(take));

function take({ id, ask }: ThreadRequest<Ask>): void {
  answer(ask).then(
    ({ value, transfer }) => parentPort?.postMessage({ id, value } satisfies ThreadReply, [...transfer]),
    (error: unknown) => parentPort?.postMessage({ id, error } satisfies ThreadReply),
  );
}
