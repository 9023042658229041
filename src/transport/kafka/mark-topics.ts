import type { PartitionName } from '../log-store.js';
import type { Mark, Marked, Marks } from '../transport.js';
import { MarkBook } from './mark-book.js';
import type { RawCluster } from './raw-cluster.js';
import type { Placed } from './record.js';
import type { TopicDirectory } from './topic-directory.js';

export interface MarkTopicsOptions {
  readonly directory: TopicDirectory;
  readonly raw: RawCluster;
  /** How long the brokers keep marks at least, in milliseconds. */
  readonly retentionMs: number;
}

/** A mark and the partition of the delivery that it came with. */
export interface PlacedMark {
  readonly mark: Mark;
  readonly source: PartitionName;
}

interface Opened {
  readonly book: MarkBook;
  /** The next offset to read of each partition. */
  readonly read: Map<number, number>;
}

const DEFAULT_CAPACITY = 1_000_000;

/** The topic that keeps the marks of a store. */
export function markTopic(store: string): string {
  return `penstock.marks.${store}`;
}

/**
 * Mark stores: each a compacted topic, co-partitioned with what is marked, and a book in memory of what this process wrote or has read. A partition
 * that is assigned has its marks read before the first delivery; later assignments read on from where the last one ended.
 */
export class MarkTopics {
  private readonly stores = new Map<string, Opened>();
  private readonly ensured = new Map<string, number>();

  constructor(private readonly options: MarkTopicsOptions) {}

  open(store: string, capacity: number): Marks {
    let opened = this.stores.get(store);
    if (opened === undefined) {
      opened = { book: new MarkBook(capacity), read: new Map() };
      this.stores.set(store, opened);
    }
    return opened.book;
  }

  /** Makes sure of the topics that the marks go to, and gives their records. */
  async recordsOf(marks: readonly PlacedMark[], now: number): Promise<readonly Placed[]> {
    const records: Placed[] = [];
    for (const { mark, source } of marks) {
      await this.ensure(mark.store, source);
      records.push({
        topic: markTopic(mark.store),
        partition: source.partition,
        key: Buffer.from(mark.key),
        value: Buffer.from(mark.value === undefined ? String(mark.expiresAt) : `${mark.expiresAt} ${mark.value}`),
        headers: [],
        timestamp: now,
      });
    }
    return records;
  }

  /** The marks are durable: they count from now on. */
  remember(marks: readonly PlacedMark[], now: number): void {
    for (const { mark } of marks) this.bookOf(mark.store).add(mark.key, { expiresAt: mark.expiresAt, value: mark.value ?? '' }, now);
  }

  /** Reads what others have marked in these partitions, of all stores that are open. */
  async restore(partitions: readonly PartitionName[], now: number): Promise<void> {
    const numbers = new Set(partitions.map(({ partition }) => partition));
    for (const [store, { book, read }] of this.stores) {
      const topic = markTopic(store);
      if ((await this.options.directory.of(topic)) === undefined) {
        await this.options.directory.topicIds([topic]); // one that may not be seen is not one without marks
        continue;
      }
      for (const { partition, start, end } of await this.options.directory.offsets(topic)) {
        if (!numbers.has(partition)) continue;
        for await (const { key, value } of this.options.raw.read(topic, partition, Math.max(start, read.get(partition) ?? 0), end)) {
          if (key !== null && value !== null) book.add(key.toString(), markIn(value.toString()), now);
        }
        read.set(partition, end);
      }
    }
  }

  private bookOf(store: string): MarkBook {
    return (this.stores.get(store)?.book ?? (this.open(store, DEFAULT_CAPACITY) as MarkBook)) satisfies Marks;
  }

  private async ensure(store: string, { topic: source, partition }: PartitionName): Promise<void> {
    const name = markTopic(store);
    if ((this.ensured.get(name) ?? 0) > partition) return;
    const { directory, retentionMs } = this.options;
    const partitions = Math.max(partition + 1, (await directory.of(source))?.partitions ?? 1);
    await directory.ensure([{ name, partitions, retentionMs, config: { 'cleanup.policy': 'compact,delete', 'segment.ms': '3600000' } }]);
    this.ensured.set(name, partitions);
  }
}

/** The time, then what is remembered of the key. */
function markIn(text: string): Marked {
  const space = text.indexOf(' ');
  return space === -1 ? { expiresAt: Number(text), value: '' } : { expiresAt: Number(text.slice(0, space)), value: text.slice(space + 1) };
}
