import { parentPort } from 'node:worker_threads';
import { errnoOf } from '../durable-file.js';
import type { ThreadReply, ThreadRequest } from '../thread.js';
import { Placer, type Placing } from './placing.js';

/** A file system's error as it passes between threads, which keep no fields of an error's own. */
export interface PlacingFailure {
  readonly errno: string | undefined;
  readonly message: string;
}

const placer = new Placer();

function tell(reply: ThreadReply): void {
  parentPort?.postMessage(reply);
}

parentPort?.on('message', (requests: readonly ThreadRequest<Placing>[]) => requests.forEach(take));

function take({ id, ask }: ThreadRequest<Placing>): void {
  placer.place(ask).then(
    (value) => tell({ id, value }),
    (error: unknown) => {
      const failure: PlacingFailure = { errno: errnoOf(error), message: error instanceof Error ? error.message : String(error) };
      tell({ id, error: failure });
    },
  );
}
