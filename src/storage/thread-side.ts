import { parentPort } from 'node:worker_threads';
import type { ThreadReply, ThreadRequest } from './thread.js';

export interface AnswerOptions<A> {
  readonly answer: (ask: A) => unknown;
  /** What is told of an error: threads keep no fields of an error's own. */
  readonly failure: (error: unknown) => unknown;
}

/** A thread's side of `openThread`. What is answered within one turn of its event loop wakes the asker once. */
export function answerAsks<A>({ answer, failure }: AnswerOptions<A>): void {
  let replies: ThreadReply[] = [];
  const send = (): void => {
    const told = replies;
    replies = [];
    parentPort?.postMessage(told);
  };
  const tell = (reply: ThreadReply): void => {
    if (replies.length === 0) setImmediate(send);
    replies.push(reply);
  };
  parentPort?.on('message', (requests: readonly ThreadRequest<A>[]) => {
    for (const { id, ask } of requests) {
      try {
        const value = answer(ask);
        if (!(value instanceof Promise)) {
          tell({ id, value });
          continue;
        }
        value.then(
          (later) => tell({ id, value: later as unknown }),
          (error: unknown) => tell({ id, error: failure(error) }),
        );
      } catch (error) {
        tell({ id, error: failure(error) });
      }
    }
  });
}
