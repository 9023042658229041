import { asyncScheduler, type SchedulerLike } from 'rxjs';
import { StoreTransport } from '../store-transport.js';
import type { Transport } from '../transport.js';
import { MemoryStore } from './memory-store.js';

export interface MemoryTransportOptions {
  /** Partitions of a topic that nobody made before its first record. Defaults to 1. */
  readonly defaultPartitions?: number;
  /** The clock to read and to wait by. Defaults to `asyncScheduler`. */
  readonly clock?: SchedulerLike;
  /** How long a released record waits before it is handed out again, in milliseconds. Defaults to 1000. */
  readonly releaseMs?: number;
  /** How long a partition that goes to another member may finish what is out, in milliseconds. Defaults to 1000. */
  readonly handoverMs?: number;
  /** Pause between two tries of a write that failed, in milliseconds. Defaults to 250. */
  readonly retryMs?: number;
  /** Asked before each write; an error makes the write fail, as a full disk would. */
  readonly fault?: () => Error | undefined;
  /** Hears of mistakes that belong to no delivery, such as a listener that throws. Defaults to a process warning. */
  readonly onWarning?: (error: Error) => void;
}

/** A log in the memory of this process, for tests: it keeps the whole contract but is gone with the process. */
export function memoryTransport(options: MemoryTransportOptions = {}): Transport {
  const { clock = asyncScheduler, releaseMs = 1000, handoverMs = 1000, retryMs = 250, defaultPartitions = 1 } = options;
  const store = new MemoryStore({ defaultPartitions, now: () => clock.now(), fault: options.fault ?? (() => undefined) });
  const onWarning = options.onWarning ?? ((error: Error) => process.emitWarning(error));
  const capabilities = { atomicCommit: true, durable: false, shared: false };
  return new StoreTransport({ name: 'memory', capabilities, store, clock, releaseMs, handoverMs, retryMs, onWarning });
}
