import { asyncScheduler } from 'rxjs';
import { StoreTransport } from '../store-transport.js';
import type { Transport } from '../transport.js';
import { EmbeddedStore } from './embedded-store.js';

export interface EmbeddedOptions {
  /** Where the log lies (`<data>/log`); made when it is not there. */
  readonly directory: string;
  /** Partitions of a topic that nobody made before its first record. Defaults to 1. */
  readonly defaultPartitions?: number;
  /** How long a member of a group may be silent before its partitions go to others, in milliseconds. Defaults to 10 000; a process that died is seen at once. */
  readonly leaseMs?: number;
  /** How often this process looks for what others have written, in milliseconds. Defaults to 25. */
  readonly pollMs?: number;
  /** How long a released record waits before it is handed out again, in milliseconds. Defaults to 1000. */
  readonly releaseMs?: number;
  /** How long a partition that goes to another member may finish what is out, in milliseconds. Defaults to 3000. */
  readonly handoverMs?: number;
  /** Pause between two tries of a write that failed, in milliseconds. Defaults to 250. */
  readonly retryMs?: number;
  /** Hears of mistakes that belong to no delivery, such as a listener that throws. Defaults to a process warning. */
  readonly onWarning?: (error: Error) => void;
}

/**
 * Opens the durable log of one machine; several processes may have it open. Rejects with PS3001 when the directory cannot be used, with PS3003 when
 * another version wrote it. What it acknowledges survives `kill -9`; a full disk stops intake until there is room.
 *
 * One process writes at a time. A process that is stopped, or hangs in a synchronous loop, in the middle of a commit holds the others' commits up
 * until it goes on or is killed; they lose nothing meanwhile.
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<Transport> {
  const { directory, defaultPartitions = 1, leaseMs = 10_000, pollMs = 25, releaseMs = 1000, handoverMs = 3000, retryMs = 250 } = options;
  const clock = asyncScheduler;
  const store = await EmbeddedStore.open({ directory, defaultPartitions, leaseMs, pollMs, now: () => clock.now() });
  const onWarning = options.onWarning ?? ((error: Error) => process.emitWarning(error));
  const capabilities = { atomicCommit: true, durable: true, shared: true };
  return new StoreTransport({ name: 'embedded', capabilities, store, clock, releaseMs, handoverMs, retryMs, onWarning });
}
