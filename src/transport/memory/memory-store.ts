import { randomUUID } from 'node:crypto';
import { PenstockError } from '../../diagnostics/index.js';
import { nameOf } from '../balance.js';
import { beatGroup, emptyGroup, type Group, leaveGroup } from '../group.js';
import type { Progress } from '../ledger.js';
import type { Beat, BeatAnswer, Change, LogStore, WriteResult, WriteUnit } from '../log-store.js';
import { partitionOf } from '../partitioner.js';
import type { Prepared } from '../prepared.js';
import type { LogRecord, Mark, Marks, PartitionOffsets, Position, TopicSpec } from '../transport.js';
import { MemoryMarks } from './memory-marks.js';

interface MemoryTopic {
  spec: TopicSpec;
  readonly identity: string;
  readonly partitions: { start: number; records: LogRecord[] }[];
  turn: number;
}

export interface MemoryStoreOptions {
  readonly defaultPartitions: number;
  /** Asked before each write; an error makes it fail. */
  fault(): Error | undefined;
  now(): number;
}

const MOST_READ = 256;

/** A log in the memory of this process. */
export class MemoryStore implements LogStore {
  readonly leaseMs = undefined;
  private readonly byName = new Map<string, MemoryTopic>();
  private readonly groups = new Map<string, Group>();
  private readonly progresses = new Map<string, Progress>();
  private readonly markStores = new Map<string, MemoryMarks>();
  private readonly listeners = new Set<(change: Change) => void>();

  constructor(private readonly options: MemoryStoreOptions) {}

  ensureTopics(topics: readonly TopicSpec[]): Promise<void> {
    for (const spec of topics) this.ensure(spec);
    this.changed('groups');
    return Promise.resolve();
  }

  topics(): readonly TopicSpec[] {
    return [...this.byName.values()].map(({ spec }) => spec);
  }

  identity(topic: string): string {
    return this.byName.get(topic)!.identity;
  }

  bounds(topic: string): readonly PartitionOffsets[] | undefined {
    return this.byName.get(topic)?.partitions.map(({ start, records }, partition) => ({ partition, start, end: start + records.length }));
  }

  end(topic: string, partition: number): number {
    const log = this.byName.get(topic)?.partitions[partition];
    return log === undefined ? 0 : log.start + log.records.length;
  }

  read(topic: string, partition: number, from: number): readonly LogRecord[] {
    const log = this.byName.get(topic)?.partitions[partition];
    if (log === undefined) return [];
    const at = Math.max(0, from - log.start);
    return log.records.slice(at, at + MOST_READ);
  }

  progress(group: string, topic: string, partition: number): Progress | undefined {
    return this.progresses.get(progressName(group, topic, partition));
  }

  refusal({ topic, partition }: Prepared): Error | undefined {
    const partitions = this.byName.get(topic)?.partitions.length ?? this.options.defaultPartitions;
    if (partition === undefined || partition < partitions) return undefined;
    return new PenstockError('PS4101', `topic ${topic} has ${partitions} partitions, a record asks for ${partition}`, {
      category: 'permanent',
    });
  }

  async write(units: readonly WriteUnit[]): Promise<readonly WriteResult[]> {
    this.failIfAsked();
    const results = units.map((unit) => this.writeUnit(unit));
    if (units.some(({ records }) => records.length > 0)) this.changed('records');
    await Promise.resolve();
    return results;
  }

  async beat(beat: Beat): Promise<BeatAnswer> {
    this.failIfAsked();
    const group = this.groups.get(beat.group) ?? emptyGroup();
    this.groups.set(beat.group, group);
    const before = group.generation;
    const { held, changed, surplus } = beatGroup(group, beat, {
      now: this.options.now(),
      expiresAt: Infinity,
      process: '',
      partitionsOf: (topic) => this.byName.get(topic)?.partitions.length ?? 0,
      isAlive: () => true,
    });
    for (const { topic, partition, member } of changed) {
      if (beat.from !== 'latest' || member !== beat.member || this.progress(beat.group, topic, partition) !== undefined) continue;
      const progress = { offset: this.end(topic, partition), beyond: new Uint8Array(0) };
      this.progresses.set(progressName(beat.group, topic, partition), progress);
    }
    if (group.generation !== before) this.changed('groups');
    const granted = held.map(({ topic, partition, epoch }) => {
      return { topic, partition, epoch, progress: this.progress(beat.group, topic, partition) };
    });
    await Promise.resolve();
    return { granted, surplus };
  }

  shapeOf(group: string, topics: readonly string[]): string {
    const partitions = topics.map((topic) => this.byName.get(topic)?.partitions.length ?? 0);
    return [this.groups.get(group)?.generation ?? 0, ...partitions].join();
  }

  leave(group: string, member: string): Promise<void> {
    const known = this.groups.get(group);
    if (known !== undefined) {
      leaveGroup(known, member);
      this.changed('groups');
    }
    return Promise.resolve();
  }

  marks(store: string, capacity: number): Marks {
    const marks = this.markStore(store);
    marks.capacity = capacity;
    return marks;
  }

  enforceRetention(now: number): Promise<number> {
    let removed = 0;
    for (const { spec, partitions } of this.byName.values()) {
      if (spec.retentionMs === undefined) continue;
      partitions.forEach((log, partition) => {
        const before = Math.min(this.heldFrom(spec.name, partition), log.start + log.records.length);
        let count = 0;
        while (log.start + count < before && log.records[count]!.timestamp < now - spec.retentionMs!) count += 1;
        log.records.splice(0, count);
        log.start += count;
        removed += count;
      });
    }
    return Promise.resolve(removed);
  }

  onChange(listener: (change: Change) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  close(): Promise<void> {
    this.listeners.clear();
    return Promise.resolve();
  }

  /** The first offset that a group still needs. */
  private heldFrom(topic: string, partition: number): number {
    let from = Infinity;
    for (const [name, group] of this.groups) {
      const wasGiven = group.leases[nameOf({ topic, partition })] !== undefined;
      from = Math.min(from, this.progress(name, topic, partition)?.offset ?? (wasGiven ? 0 : Infinity));
    }
    return from;
  }

  private ensure(spec: TopicSpec): MemoryTopic {
    let topic = this.byName.get(spec.name);
    if (topic === undefined) {
      topic = { spec, identity: randomUUID(), partitions: [], turn: 0 };
      this.byName.set(spec.name, topic);
    }
    while (topic.partitions.length < spec.partitions) topic.partitions.push({ start: 0, records: [] });
    topic.spec = { ...spec, partitions: topic.partitions.length };
    return topic;
  }

  private writeUnit({ lease, progress, records, marks }: WriteUnit): WriteResult {
    if (lease !== undefined) {
      const current = this.groups.get(lease.group)?.leases[nameOf(lease)];
      if (current?.member !== lease.member || current.epoch !== lease.epoch) return { kind: 'fenced' };
      if (progress !== undefined) this.progresses.set(progressName(lease.group, lease.topic, lease.partition), progress);
    }
    for (const mark of marks) this.remember(mark);
    return { kind: 'written', positions: records.map((record) => this.append(record)) };
  }

  private append({ topic: name, partition: wanted, key, value, headers, timestamp }: Prepared): Position {
    const topic = this.byName.get(name) ?? this.ensure({ name, partitions: this.options.defaultPartitions });
    const count = topic.partitions.length;
    const partition = wanted ?? (key === null ? topic.turn++ % count : partitionOf(key, count));
    const log = topic.partitions[partition]!;
    const offset = log.start + log.records.length;
    log.records.push({ topic: name, partition, offset, key, value, headers, timestamp });
    return { topic: name, partition, offset };
  }

  private remember(mark: Mark): void {
    this.markStore(mark.store).add(mark, this.options.now());
  }

  private markStore(name: string): MemoryMarks {
    let marks = this.markStores.get(name);
    if (marks === undefined) {
      marks = new MemoryMarks();
      this.markStores.set(name, marks);
    }
    return marks;
  }

  private failIfAsked(): void {
    const fault = this.options.fault();
    if (fault !== undefined) throw fault;
  }

  private changed(change: Change): void {
    for (const listener of this.listeners) listener(change);
  }
}

function progressName(group: string, topic: string, partition: number): string {
  return `${group}\0${nameOf({ topic, partition })}`;
}
