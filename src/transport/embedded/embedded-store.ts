import { PenstockError } from '../../diagnostics/index.js';
import { type Kv, openKv, untilWritable } from '../../storage/kv/index.js';
import type { Progress } from '../ledger.js';
import type { Beat, BeatAnswer, Change, LogStore, WriteResult, WriteUnit } from '../log-store.js';
import { partitionOf } from '../partitioner.js';
import type { Prepared } from '../prepared.js';
import type { LogRecord, Marks, PartitionOffsets, TopicSpec } from '../transport.js';
import { GroupTable } from './group-table.js';
import { MarkTable } from './mark-table.js';
import { isRunning, processName } from './process-name.js';
import { RecordTable } from './record-table.js';
import { numberIn, numberOf, type StoredTopic, TopicTable } from './topic-table.js';

export interface EmbeddedStoreOptions {
  readonly directory: string;
  readonly defaultPartitions: number;
  readonly leaseMs: number;
  /** How often this process looks for what others have written, in milliseconds. */
  readonly pollMs: number;
  now(): number;
}

const TABLES = ['meta', 'topics', 'bounds', 'records', 'groups', 'leases', 'progress', 'marks'];
const FORMAT = Buffer.from('format');
const FORMAT_VERSION = 1;
const SWEEP_MS = 10_000;
const CHUNKS_PER_RETENTION = 256;

interface Tail {
  readonly topic: StoredTopic;
  readonly partition: number;
  readonly bounds: PartitionOffsets;
  readonly records: Prepared[];
}

/** The log in one directory, shared by the processes of one machine. */
export class EmbeddedStore implements LogStore {
  readonly leaseMs: number;
  private readonly topicTable: TopicTable;
  private readonly records: RecordTable;
  private readonly groups: GroupTable;
  private readonly markTable: MarkTable;
  private readonly listeners = new Set<(change: Change) => void>();
  private readonly turns = new Map<string, number>();
  private readonly process = processName();
  private poll: NodeJS.Timeout | undefined;
  private seenChange = 0;
  private seenShape = 0;
  private sweptAt = 0;

  private constructor(
    private readonly kv: Kv,
    private readonly options: EmbeddedStoreOptions,
  ) {
    this.leaseMs = options.leaseMs;
    this.topicTable = new TopicTable(kv);
    this.records = new RecordTable(kv);
    this.groups = new GroupTable(kv);
    this.markTable = new MarkTable(kv);
  }

  /** Throws PS3001 when the directory cannot be opened, PS3003 when another version wrote it, PS3009 when another process holds it in the middle of a write. */
  static async open(options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
    await untilWritable(options.directory);
    const kv = openKv({ directory: options.directory, tables: TABLES });
    const meta = kv.table('meta');
    const found = meta.get(FORMAT);
    try {
      if (found === undefined) await kv.transaction(() => meta.put(FORMAT, numberOf(FORMAT_VERSION)));
      else if (numberIn(found) !== FORMAT_VERSION) {
        throw new PenstockError(
          'PS3003',
          `the log in ${options.directory} has format ${numberIn(found)}, this program knows ${FORMAT_VERSION}`,
          {
            category: 'permanent',
            help: 'use the version of Penstock that wrote it, or another data directory',
          },
        );
      }
    } catch (error) {
      await kv.close();
      throw error;
    }
    return new EmbeddedStore(kv, options);
  }

  async ensureTopics(topics: readonly TopicSpec[]): Promise<void> {
    await this.kv.transaction(() => {
      for (const spec of topics) this.topicTable.ensure(spec);
    });
    this.look();
  }

  topics(): readonly TopicSpec[] {
    return this.topicTable.all().map(({ spec }) => spec);
  }

  identity(topic: string): string {
    return this.topicTable.get(topic)!.identity;
  }

  bounds(topic: string): readonly PartitionOffsets[] | undefined {
    this.topicTable.reload();
    const known = this.topicTable.get(topic);
    if (known === undefined) return undefined;
    return Array.from({ length: known.spec.partitions }, (_, partition) => this.topicTable.bounds(known.id, partition));
  }

  end(topic: string, partition: number): number {
    return this.topicTable.end(topic, partition);
  }

  read(topic: string, partition: number, from: number): readonly LogRecord[] {
    const known = this.topicTable.get(topic);
    if (known === undefined) return [];
    const { start, end } = this.topicTable.bounds(known.id, partition);
    if (from >= end) return [];
    const records = this.records.read(known.id, topic, partition, Math.max(from, start));
    if (records.length > 0) return records;
    throw new PenstockError('PS3006', `${topic}/${partition} has records up to ${end}, but none at ${Math.max(from, start)}`, {
      category: 'permanent',
    });
  }

  progress(group: string, topic: string, partition: number): Progress | undefined {
    return this.groups.progress(group, topic, partition);
  }

  refusal({ topic, partition }: Prepared): Error | undefined {
    if (partition === undefined) return undefined;
    const partitions = this.topicTable.get(topic)?.spec.partitions ?? this.options.defaultPartitions;
    if (partition < partitions) return undefined;
    return new PenstockError('PS4101', `topic ${topic} has ${partitions} partitions, a record asks for ${partition}`, {
      category: 'permanent',
    });
  }

  obstacle(): PenstockError | undefined {
    return this.kv.obstacle();
  }

  async write(units: readonly WriteUnit[]): Promise<readonly WriteResult[]> {
    const results = await this.kv.transaction(() => this.writeUnits(units));
    this.look();
    return results;
  }

  async beat(beat: Beat): Promise<BeatAnswer> {
    const answer = await this.kv.transaction(() => {
      this.topicTable.reload();
      const now = this.options.now();
      const { held, changed, surplus, reshaped } = this.groups.beat(beat, {
        now,
        expiresAt: now + this.leaseMs,
        process: this.process,
        partitionsOf: (topic) => this.topicTable.get(topic)?.spec.partitions ?? 0,
        isAlive: ({ process }) => isRunning(process),
      });
      if (beat.from === 'latest') {
        for (const { topic, partition, member } of changed) {
          if (member !== beat.member || this.progress(beat.group, topic, partition) !== undefined) continue;
          this.groups.setProgress(beat.group, topic, partition, { offset: this.end(topic, partition), beyond: new Uint8Array(0) });
        }
      }
      if (reshaped) this.topicTable.reshape();
      const granted = held.map(({ topic, partition, epoch }) => {
        return { topic, partition, epoch, progress: this.progress(beat.group, topic, partition) };
      });
      return { granted, surplus };
    });
    this.look();
    return answer;
  }

  shapeOf(group: string, topics: readonly string[]): string {
    const partitions = topics.map((topic) => this.topicTable.get(topic)?.spec.partitions ?? 0);
    return [this.groups.generation(group), ...partitions].join();
  }

  async leave(group: string, member: string): Promise<void> {
    await this.kv.transaction(() => {
      if (this.groups.leave(group, member)) this.topicTable.reshape();
    });
    this.look();
  }

  marks(store: string, capacity: number): Marks {
    return this.markTable.open(store, capacity);
  }

  async enforceRetention(now: number): Promise<number> {
    let removed = 0;
    for (const { id, spec } of this.topicTable.all()) {
      if (spec.retentionMs === undefined) continue;
      for (let partition = 0; partition < spec.partitions; partition += 1) {
        let gone: number;
        do {
          gone = await this.kv.transaction(() => this.removeOld(id, spec, partition, now));
          removed += gone;
        } while (gone > 0);
      }
    }
    return removed;
  }

  onChange(listener: (change: Change) => void): () => void {
    this.listeners.add(listener);
    this.poll ??= setInterval(() => this.tick(), this.options.pollMs);
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size > 0) return;
      clearInterval(this.poll);
      this.poll = undefined;
    };
  }

  async close(): Promise<void> {
    clearInterval(this.poll);
    this.listeners.clear();
    await this.kv.close();
  }

  private tick(): void {
    this.kv.refresh();
    this.look();
    const now = this.options.now();
    if (now - this.sweptAt < SWEEP_MS) return;
    this.sweptAt = now;
    this.kv.sweep();
  }

  /** Tells the listeners when the log is not what they last saw, whoever changed it. */
  private look(): void {
    const change = this.kv.lastChange();
    if (change === this.seenChange) return;
    this.seenChange = change;
    const shape = this.topicTable.shape();
    const kind = shape === this.seenShape ? 'records' : 'groups';
    this.seenShape = shape;
    if (kind === 'groups') this.topicTable.reload();
    for (const listener of this.listeners) listener(kind);
  }

  private writeUnits(units: readonly WriteUnit[]): readonly WriteResult[] {
    this.topicTable.reload();
    const tails = new Map<string, Tail>();
    const results = units.map((unit): WriteResult => {
      const { lease, progress, records, marks } = unit;
      if (lease !== undefined) {
        if (!this.groups.isCurrent(lease)) return { kind: 'fenced' };
        if (progress !== undefined) this.groups.setProgress(lease.group, lease.topic, lease.partition, progress);
      }
      if (marks.length > 0) this.markTable.add(marks, this.options.now());
      return { kind: 'written', positions: records.map((record) => this.place(tails, record)) };
    });
    for (const { topic, partition, bounds, records } of tails.values()) {
      this.records.append(topic.id, partition, bounds.end, records);
      this.topicTable.setBounds(topic.id, { ...bounds, end: bounds.end + records.length });
    }
    return results;
  }

  /** Gives the record the next offset of its partition; it is written with the others of that partition. */
  private place(tails: Map<string, Tail>, record: Prepared) {
    const { topic: name } = record;
    const topic = this.topicTable.get(name) ?? this.topicTable.ensure({ name, partitions: this.options.defaultPartitions });
    const partition = record.partition ?? this.choose(name, record.key, topic.spec.partitions);
    const tailName = `${name}\0${partition}`;
    let tail = tails.get(tailName);
    if (tail === undefined) {
      tail = { topic, partition, bounds: this.topicTable.bounds(topic.id, partition), records: [] };
      tails.set(tailName, tail);
    }
    tail.records.push(record);
    return { topic: name, partition, offset: tail.bounds.end + tail.records.length - 1 };
  }

  private choose(topic: string, key: Buffer | null, partitions: number): number {
    if (key !== null) return partitionOf(key, partitions);
    const turn = this.turns.get(topic) ?? 0;
    this.turns.set(topic, (turn + 1) % partitions);
    return turn % partitions;
  }

  private removeOld(id: number, { name, retentionMs }: TopicSpec, partition: number, now: number): number {
    const bounds = this.topicTable.bounds(id, partition);
    const before = Math.min(bounds.end, this.groups.heldFrom(name, partition));
    const start = this.records.removeOld(id, partition, bounds.start, before, now - retentionMs!, CHUNKS_PER_RETENTION);
    if (start > bounds.start) this.topicTable.setBounds(id, { ...bounds, start });
    return start - bounds.start;
  }
}
