import { createRequire } from 'node:module';

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

let stilled = false;

/**
 * The client's request queue looks for waiting requests every millisecond, also when there are none, in each connection and for ever. This lets it look
 * only while something waits; answers look by themselves. A version of the client that is built otherwise is left as it is.
 */
export function stillQueues(): void {
  if (stilled) return;
  stilled = true;
  let Queue: { readonly prototype: RequestQueue } | undefined;
  try {
    Queue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue/index.js') as typeof Queue;
  } catch {
    return; // built otherwise
  }
  const original = Queue?.prototype.scheduleCheckPendingRequests;
  if (Queue === undefined || typeof original !== 'function') return;
  Queue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) original.call(this);
  };
}
