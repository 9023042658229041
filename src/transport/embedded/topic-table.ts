import { randomUUID } from 'node:crypto';
import type { Kv, KvTable } from '../../storage/kv/index.js';
import type { PartitionOffsets, TopicSpec } from '../transport.js';
import { partitionKey } from './keys.js';

export interface StoredTopic {
  readonly id: number;
  readonly spec: TopicSpec;
  readonly identity: string;
}

const LAST_ID = Buffer.from('last_topic_id');
const SHAPE = Buffer.from('shape');

/** The topics of the log and the bounds of their partitions; `shape` counts what changes topics or groups, in every process. */
export class TopicTable {
  private readonly rows: KvTable;
  private readonly boundRows: KvTable;
  private readonly meta: KvTable;
  private known = new Map<string, StoredTopic>();
  private knownShape = -1;

  constructor(kv: Kv) {
    this.rows = kv.table('topics');
    this.boundRows = kv.table('bounds');
    this.meta = kv.table('meta');
  }

  shape(): number {
    return numberIn(this.meta.get(SHAPE));
  }

  /** Within a transaction: topics or groups are not what they were. */
  reshape(): void {
    this.meta.put(SHAPE, numberOf(this.shape() + 1));
  }

  all(): readonly StoredTopic[] {
    this.reload();
    return [...this.known.values()];
  }

  get(name: string): StoredTopic | undefined {
    const known = this.known.get(name);
    if (known !== undefined) return known;
    this.reload();
    return this.known.get(name);
  }

  /** Reads the topics again when any process has changed them. */
  reload(): void {
    const shape = this.shape();
    if (shape === this.knownShape) return;
    const known = new Map<string, StoredTopic>();
    for (const { value } of this.rows.range({})) {
      const topic = JSON.parse(value.toString()) as StoredTopic;
      known.set(topic.spec.name, topic);
    }
    this.known = known;
    this.knownShape = shape;
  }

  /** Within a transaction: creates the topic, or adds what it lacks. */
  ensure(spec: TopicSpec): StoredTopic {
    this.reload();
    const known = this.known.get(spec.name);
    const partitions = Math.max(spec.partitions, known?.spec.partitions ?? 0);
    if (known !== undefined && partitions === known.spec.partitions && spec.retentionMs === known.spec.retentionMs) return known;
    const topic = { id: known?.id ?? this.nextId(), spec: { ...spec, partitions }, identity: known?.identity ?? randomUUID() };
    this.rows.put(Buffer.from(spec.name), Buffer.from(JSON.stringify(topic)));
    for (let partition = known?.spec.partitions ?? 0; partition < partitions; partition += 1) {
      this.setBounds(topic.id, { partition, start: 0, end: 0 });
    }
    this.reshape();
    // Not remembered here: the transaction may yet fail. The new shape makes the next look read it.
    return topic;
  }

  bounds(topicId: number, partition: number): PartitionOffsets {
    const row = this.boundRows.get(partitionKey(topicId, partition));
    return row === undefined ? { partition, start: 0, end: 0 } : { partition, start: row.readDoubleLE(0), end: row.readDoubleLE(8) };
  }

  end(name: string, partition: number): number {
    const topic = this.get(name);
    return topic === undefined ? 0 : this.bounds(topic.id, partition).end;
  }

  /** Within a transaction. */
  setBounds(topicId: number, { partition, start, end }: PartitionOffsets): void {
    const row = Buffer.allocUnsafe(16);
    row.writeDoubleLE(start, 0);
    row.writeDoubleLE(end, 8);
    this.boundRows.put(partitionKey(topicId, partition), row);
  }

  private nextId(): number {
    const id = numberIn(this.meta.get(LAST_ID)) + 1;
    this.meta.put(LAST_ID, numberOf(id));
    return id;
  }
}

export function numberOf(value: number): Buffer {
  const row = Buffer.allocUnsafe(8);
  row.writeDoubleLE(value, 0);
  return row;
}

export function numberIn(row: Buffer | undefined): number {
  return row === undefined ? 0 : row.readDoubleLE(0);
}
