import { syncBuiltinESMExports } from 'node:module';
import { performance as realPerformance } from 'node:perf_hooks';
import nodeTimers from 'node:timers';
import nodePromises from 'node:timers/promises';
import { promisify } from 'node:util';
import { timerPromises } from './timer-promises.js';
import type { Rank, VirtualTime } from './virtual-time.js';
import { VirtualTimer } from './virtual-timer.js';

type Callback = (...args: unknown[]) => void;

const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  setImmediate: globalThis.setImmediate,
  clearImmediate: globalThis.clearImmediate,
  Date: globalThis.Date,
};
const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate } = real;
const realTimers = { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate };
const realPromises = {
  setTimeout: nodePromises.setTimeout,
  setInterval: nodePromises.setInterval,
  setImmediate: nodePromises.setImmediate,
  scheduler: nodePromises.scheduler,
};
const realAbortTimeout = AbortSignal.timeout;

type Loose = Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;

/** Where what was imported from `node:timers` and `node:timers/promises` leads at this moment. */
let timers = realTimers as unknown as Loose;
let promises = realPromises as unknown as Loose & { readonly scheduler: Loose };
let signposted = false;

/**
 * Puts signposts into the modules of timers, once: to change what modules have imported is slow, and to follow a signpost is not. While no clock is
 * installed they lead to Node's own.
 */
function putSignposts(): void {
  if (signposted) return;
  signposted = true;
  const post =
    (to: () => Loose, name: string) =>
    (...args: readonly unknown[]): unknown =>
      to()[name]!(...args);
  for (const name of Object.keys(realTimers)) {
    const custom = name === 'setTimeout' || name === 'setImmediate' ? { [promisify.custom]: post(() => promises, name) } : {};
    Object.assign(nodeTimers, {
      [name]: Object.assign(
        post(() => timers, name),
        custom,
      ),
    });
  }
  for (const name of ['setTimeout', 'setInterval', 'setImmediate']) Object.assign(nodePromises, { [name]: post(() => promises, name) });
  const scheduler = { wait: post(() => promises.scheduler, 'wait'), yield: post(() => promises.scheduler, 'yield') };
  Object.assign(nodePromises, { scheduler });
  syncBuiltinESMExports();
}

/** Resolves when every promise that can settle by itself has: one real turn of the event loop, whatever the timers say meanwhile. */
export function microtasksDrained(): Promise<void> {
  return new Promise((resolve) => {
    real.setImmediate(resolve);
  });
}

/** Whether somebody else's timers stand where those of the process should. */
export function timersAreForeign(): boolean {
  return globalThis.setTimeout !== real.setTimeout || globalThis.Date !== real.Date;
}

/** Puts virtual timers and dates in the place of the process's own, wherever code may look for them. */
export function installClock(time: VirtualTime, startAt: number): void {
  const set =
    (rank: Rank, repeats: boolean) =>
    (callback: Callback, delay?: number, ...args: unknown[]): VirtualTimer =>
      time.timer(() => callback(...args), { delay: Number.isFinite(Number(delay)) ? Number(delay ?? 0) : 0, repeats, rank });
  const immediate = set('immediate', false);
  const clear = (handle: unknown): void => {
    if (handle instanceof VirtualTimer) handle.close();
    else if (typeof handle === 'number' || typeof handle === 'string') time.numbered(Number(handle))?.close();
  };
  putSignposts();
  const virtualPromises = timerPromises(time);
  const virtualTimers = {
    setTimeout: Object.assign(set('timer', false), { [promisify.custom]: virtualPromises.setTimeout }),
    setInterval: set('timer', true),
    setImmediate: Object.assign((callback: Callback, ...args: unknown[]) => immediate(callback, 0, ...args), {
      [promisify.custom]: virtualPromises.setImmediate,
    }),
    clearTimeout: clear,
    clearInterval: clear,
    clearImmediate: clear,
  };
  Object.assign(globalThis, virtualTimers, { Date: calendar(() => startAt + time.now) });
  timers = virtualTimers as unknown as Loose;
  promises = virtualPromises as unknown as typeof promises;
  AbortSignal.timeout = (delay) => {
    const controller = new AbortController();
    const late = (): void => controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
    time.timer(late, { delay, repeats: false, rank: 'timer' }).unref();
    return controller.signal;
  };
  Object.defineProperty(realPerformance, 'now', { configurable: true, writable: true, value: () => time.now });
}

/** Puts the process's own timers and dates back. */
export function uninstallClock(): void {
  Object.assign(globalThis, real);
  timers = realTimers as unknown as Loose;
  promises = realPromises as unknown as typeof promises;
  AbortSignal.timeout = realAbortTimeout;
  Reflect.deleteProperty(realPerformance, 'now');
}

function calendar(read: () => number): DateConstructor {
  return new Proxy(real.Date, {
    construct: (target, args: [], newTarget: new () => object): object =>
      Reflect.construct(target, args.length === 0 ? [read()] : args, newTarget) as object,
    apply: () => new real.Date(read()).toString(),
    get: (target, name): unknown => (name === 'now' ? read : Reflect.get(target, name)),
  });
}
