import { PenstockError } from '../../diagnostics/index.js';

/** Waits for a promise, but no longer than the time; says whether it came. */
export async function within(promise: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The promise, or a rejection with PS3001 when it takes longer than the time: the client now and then waits for an answer that never comes. */
export async function answered<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  if (await within(promise, timeoutMs)) return promise;
  throw new PenstockError('PS3001', `no answer within ${Math.round(timeoutMs / 1000)} s`, { category: 'transient' });
}
