import type { EachBatchPayload, Kafka } from 'kafkajs';
import { PenstockError } from '../../diagnostics/index.js';
import { nameOf } from '../balance.js';
import type { Progress } from '../ledger.js';
import type { BeatAnswer, Change, Lease, PartitionName, WriteResult, WriteUnit } from '../log-store.js';
import type { Prepared } from '../prepared.js';
import type { LogRecord } from '../transport.js';
import { CommitPath } from './commit-path.js';
import { CommitSender } from './commit-sender.js';
import { protocolType } from './failure.js';
import { commitText, type Held, hold, startOf } from './held-partition.js';
import { GroupView, type SharedMember } from './group-view.js';
import type { MarkTopics } from './mark-topics.js';
import type { ReadAhead } from './partition-buffer.js';
import type { BatchingProducer } from './producer.js';
import { type Placed, recordOf } from './record.js';
import { Session } from './session.js';
import type { KafkaSettings } from './settings.js';
import type { TopicDirectory } from './topic-directory.js';
import { TopicLookout } from './topic-lookout.js';
import { Watchdog } from './watchdog.js';

export interface MemberOptions {
  readonly client: () => Kafka;
  readonly settings: KafkaSettings;
  readonly directory: TopicDirectory;
  readonly producer: BatchingProducer;
  readonly marks: MarkTopics;
  readonly group: string;
  readonly from: 'earliest' | 'latest';
  place(records: readonly Prepared[]): Promise<readonly Placed[]>;
  refusal(record: Prepared): Error | undefined;
}

const LEAST_AHEAD_BYTES = 64 * 1024;
const LOOK_FOR_TOPICS_MS = 1000;
const FIRST_PAUSE_MS = 250;
const MOST_PAUSE_MS = 5000;

/**
 * One member of a group on Kafka, as the group consumer above wants it: which partitions it holds, what was fetched of them, and a way to commit. The
 * client fetches into buffers here and never waits for a delivery; a partition whose buffer is full is paused.
 */
export class KafkaMember implements SharedMember {
  private readonly views = new Set<GroupView>();
  private readonly listeners = new Set<(change: Change) => void>();
  private readonly partitions = new Map<string, Held>();
  private session: Session | undefined;
  private living: Promise<void> | undefined;
  private closed = false;
  private shape = 0;
  private epochs = 0;
  private joins = 0;
  private joinedAt = 0;
  private failures = 0;
  /** Since it was last known where to begin. */
  private fetches = 0;
  /** The most bytes that may be in flight: no partition reads further ahead than its share of it. */
  private creditBytes = 0;
  private fault: PenstockError | undefined;
  /** Ends the session: by a failure, or as planned. */
  private over: ((error: PenstockError | undefined) => void) | undefined;
  private awake: (() => void) | undefined;
  private readonly sender: CommitSender;
  private readonly path: CommitPath;
  private readonly watchdog: Watchdog;
  private readonly lookout: TopicLookout;

  constructor(private readonly options: MemberOptions) {
    const { settings, directory, producer, marks, group } = options;
    this.sender = new CommitSender({
      group,
      patienceMs: settings.stallMs,
      commitsOf: (partition) => this.partitions.get(nameOf(partition))?.commits,
      hopeless: (error) => this.restart(error),
    });
    this.path = new CommitPath({
      producer,
      marks,
      place: (records) => options.place(records),
      isCurrent: (lease) => this.isCurrent(lease),
      send: (request) => this.sender.send(request, this.session, this.fault),
      fault: () => this.fault,
    });
    this.lookout = new TopicLookout(directory, (error) => settings.onWarning(error));
    this.watchdog = new Watchdog({
      settings,
      directory,
      group,
      held: () => [...this.partitions.values()],
      beatAt: () => (this.joinedAt === 0 ? undefined : this.session?.beatAt),
      truncated: (held) => this.drop(held),
      restart: (error) => this.restart(error),
    });
  }

  refusal(record: Prepared): Error | undefined {
    return this.options.refusal(record);
  }

  end(topic: string, partition: number): number {
    return this.partitions.get(nameOf({ topic, partition }))?.end ?? 0;
  }

  read(topic: string, partition: number, from: number): readonly LogRecord[] {
    const held = this.partitions.get(nameOf({ topic, partition }));
    if (held === undefined) return [];
    let records: readonly LogRecord[] = [];
    while (records.length === 0 && held.buffer.length > 0) records = held.buffer.take(from);
    if (held.paused && held.buffer.hasRoom(this.readAhead())) {
      held.paused = false;
      held.movedAt = Date.now();
      this.session?.resume(held);
    }
    return records;
  }

  /** Another consumer of the same process that reads other topics of the group; undefined when it came too late, or reads the same. */
  view(topics: readonly string[], creditBytes: number): GroupView | undefined {
    if (this.living !== undefined || [...this.views].some((view) => view.topics.some((topic) => topics.includes(topic)))) return undefined;
    const view = new GroupView(this, topics);
    this.views.add(view);
    this.creditBytes += creditBytes;
    return view;
  }

  /** The first call begins to join; each says what is held now. Rejects while the group cannot be reached. */
  held(): Promise<BeatAnswer> {
    this.living ??= laterThisTurn().then(() => this.live());
    if (this.fault !== undefined) return Promise.reject(this.fault);
    const granted = [...this.partitions.values()].map(({ topic, partition, epoch, progress }) => ({ topic, partition, epoch, progress }));
    return Promise.resolve({ granted, surplus: [] });
  }

  shapeOf(): string {
    return String(this.shape);
  }

  onChange(listener: (change: Change) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  write(units: readonly WriteUnit[]): Promise<readonly WriteResult[]> {
    return this.path.write(units);
  }

  /** The member leaves its group with the last of its views; before, it goes on with the topics of the others. */
  async viewLeft(view: GroupView): Promise<void> {
    this.views.delete(view);
    if (this.views.size > 0) {
      for (const held of this.partitions.values()) if (view.topics.includes(held.topic)) this.partitions.delete(nameOf(held));
      this.over?.(undefined);
      return;
    }
    this.closed = true;
    this.watchdog.stop();
    this.partitions.clear();
    this.path.changed();
    this.over?.(undefined);
    this.awake?.();
    await this.living;
  }

  private topics(): readonly string[] {
    return [...new Set([...this.views].flatMap((view) => view.topics))];
  }

  private isCurrent({ topic, partition, epoch }: Lease): boolean {
    return this.partitions.get(nameOf({ topic, partition }))?.epoch === epoch;
  }

  /** Lives after lives, until the member leaves: a session that ends is followed by another, with a pause that grows. */
  private async live(): Promise<void> {
    while (!this.closed) {
      const topics = await this.topicsThere();
      if (this.closed) break;
      if (topics === undefined || topics.length === 0) {
        await this.pause(topics === undefined ? this.backoff() : LOOK_FOR_TOPICS_MS);
        continue;
      }
      const reason = await this.liveOnce(topics);
      if (this.closed) break;
      if (reason !== undefined) await this.pause(this.backoff());
    }
  }

  private async liveOnce(topics: readonly string[]): Promise<PenstockError | undefined> {
    const { client, settings, group } = this.options;
    const listener = {
      joined: (partitions: readonly PartitionName[], continuous: boolean) => this.joined(partitions, continuous),
      rebalancing: () => undefined,
      batch: (payload: EachBatchPayload) => this.take(payload),
      fetched: () => this.fetched(),
      ended: (error: PenstockError) => this.over?.(error),
      owned: () => ({ owned: [...this.partitions.values()].map(({ topic, partition }) => ({ topic, partition })), since: this.joinedAt }),
    };
    const ended = new Promise<PenstockError | undefined>((resolve) => {
      this.over = resolve;
    });
    const session = new Session({ client, settings, group, topics, listener });
    this.session = session;
    this.sender.joined(undefined);
    session.start().catch((error: unknown) => listener.ended(error as PenstockError));
    const looking = topics.length < this.topics().length ? this.lookForMore(topics) : undefined;
    const reason = await ended;
    clearInterval(looking);
    this.over = undefined;
    this.session = undefined;
    this.joins += 1;
    this.joinedAt = 0;
    this.partitions.clear();
    this.path.changed();
    if (!this.closed && reason !== undefined) this.setFault(reason, isStartUp(reason) && this.failures === 0);
    this.reshape();
    await session.close();
    return reason;
  }

  /** Undefined when the brokers cannot be asked. */
  private async topicsThere(): Promise<readonly string[] | undefined> {
    try {
      const { there, fault } = await this.lookout.look(this.topics());
      if (fault !== undefined || this.fault?.code === 'PS3008') this.setFault(fault, true);
      return there;
    } catch (error) {
      this.setFault(error as PenstockError);
      return undefined;
    }
  }

  private lookForMore(topics: readonly string[]): NodeJS.Timeout {
    return setInterval(async () => {
      const there = await this.topicsThere();
      if ((there?.length ?? 0) > topics.length) this.over?.(undefined);
    }, LOOK_FOR_TOPICS_MS);
  }

  private joined(partitions: readonly PartitionName[], continuous: boolean): void {
    this.joins += 1;
    this.sender.joined(this.sender.via);
    this.joinedAt = Date.now();
    const names = new Set(partitions.map(nameOf));
    for (const [name, held] of this.partitions) {
      if (continuous && names.has(name)) this.session?.seek(held, held.buffer.next);
      else {
        this.partitions.delete(name);
        this.session?.resume(held);
      }
    }
    // Nothing of a new partition is taken before it is known where to begin.
    for (const partition of partitions) if (!this.partitions.has(nameOf(partition))) this.session?.pause(partition);
    this.path.hold();
    this.reshape();
    void this.settle(this.joins, partitions);
  }

  /** Looks up where the group stands, and begins there; tries again until it is known or the assignment is over. */
  private async settle(join: number, partitions: readonly PartitionName[]): Promise<void> {
    for (let attempt = 1; this.joins === join && !this.closed; attempt += 1) {
      try {
        const { directory, marks, group } = this.options;
        const committed = await directory.progress(group, topicsOf(partitions));
        if (this.joins !== join || this.closed) return;
        for (const held of this.partitions.values()) this.check(held, committed.get(nameOf(held)));
        // What stays goes on at once: while members come and go, what is new may take long to begin.
        this.path.changed();
        const fresh = partitions.filter((partition) => !this.partitions.has(nameOf(partition)));
        const bounds = await directory.offsetsOf(topicsOf(fresh));
        await marks.restore(fresh, Date.now());
        if (this.joins !== join || this.closed) return;
        for (const partition of fresh) {
          const found = bounds.get(partition.topic)?.[partition.partition];
          if (found !== undefined) this.begin(partition, committed.get(nameOf(partition)), found);
        }
        this.fetches = 0;
        this.watchdog.start();
        this.reshape();
        return;
      } catch (error) {
        this.setFault(error as PenstockError);
        await this.pause(Math.min(MOST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 5)));
      }
    }
  }

  /** A partition that stayed through an assignment may have been somebody else's in between: then it is begun anew. */
  private check(held: Held, committed: Progress | undefined): void {
    if (committed === undefined || held.commits.includes(commitText(committed))) return;
    this.partitions.delete(nameOf(held));
    this.session?.pause(held);
    this.reshape();
  }

  private begin(partition: PartitionName, committed: Parameters<typeof startOf>[0], bounds: Parameters<typeof startOf>[1]): void {
    let progress = startOf(committed, bounds, this.options.from);
    if (progress === undefined) {
      const { topic, partition: number } = partition;
      const { onWarning } = this.options.settings;
      const text = `${topic}/${number} ends at ${bounds.end}, group ${this.options.group} has come to ${committed!.offset}`;
      onWarning(
        new PenstockError('PS3004', `${text}: the topic was made anew or cut; it is read from its start`, { category: 'permanent' }),
      );
      progress = { offset: bounds.start, beyond: new Uint8Array(0) };
    }
    this.epochs += 1;
    const held = hold(partition, this.epochs, progress, bounds, Date.now());
    this.partitions.set(nameOf(held), held);
    this.session?.seek(held, progress.offset);
    this.session?.resume(held);
  }

  /** Forgets a partition whose log was cut, and begins it anew. */
  private drop(held: Held): void {
    this.partitions.delete(nameOf(held));
    this.session?.pause(held);
    this.joins += 1;
    this.path.hold();
    this.reshape();
    void this.settle(this.joins, [...this.partitions.values(), held]);
  }

  /** A group that is joined proves nothing yet: a fault is over when fetches come back. The first may have been sent before there was anything to fetch. */
  private fetched(): void {
    this.fetches += 1;
    if (this.fetches < 2) return;
    this.failures = 0;
    if (this.fault === undefined) return;
    this.setFault(undefined);
    this.reshape();
  }

  private restart(error: PenstockError): void {
    this.over?.(error);
  }

  private take({ batch, resolveOffset, commitOffsetsIfNecessary }: EachBatchPayload): void {
    const { topic, partition } = batch;
    this.sender.via = commitOffsetsIfNecessary;
    const held = this.partitions.get(nameOf({ topic, partition }));
    if (held === undefined || held.straying) return;
    const fetchedFrom = Number((batch as unknown as { readonly fetchedOffset: string }).fetchedOffset);
    if (fetchedFrom > held.buffer.next) {
      // It belongs to another position than ours: what lies between would be lost.
      void this.find(held);
      return;
    }
    const last = Number(batch.lastOffset());
    held.buffer.put(
      batch.messages.map((message) => recordOf(topic, partition, message)),
      last + 1,
    );
    held.end = Math.max(Number(batch.highWatermark), last + 1);
    held.movedAt = Date.now();
    try {
      resolveOffset(String(last));
    } catch {
      // The assignment has just changed under the client; the position is set by a seek.
      this.session?.seek(held, held.buffer.next);
    }
    if (held.buffer.isOver(this.readAhead())) {
      held.paused = true;
      this.session?.pause(held);
    }
    this.tell('records');
  }

  /** The client went elsewhere: after what retention has removed, or by its own mistake. */
  private async find(held: Held): Promise<void> {
    held.straying = true;
    this.session?.pause(held);
    try {
      const { start, end } = (await this.options.directory.offsets(held.topic))[held.partition]!;
      if (this.partitions.get(nameOf(held)) !== held) return;
      held.end = end;
      held.buffer.next = Math.max(held.buffer.next, start);
      this.session?.seek(held, held.buffer.next);
      held.straying = false;
      if (!held.paused) this.session?.resume(held);
    } catch (error) {
      this.restart(error as PenstockError);
    }
  }

  private readAhead(): ReadAhead {
    const { settings } = this.options;
    const share = Math.max(LEAST_AHEAD_BYTES, this.creditBytes / Math.max(1, this.partitions.size));
    return { records: settings.readAhead.records, bytes: Math.min(settings.readAhead.bytes, share) };
  }

  private setFault(fault: PenstockError | undefined, quiet = false): void {
    const before = this.fault;
    this.fault = fault;
    if (fault === undefined || before?.message === fault.message) return;
    if (!quiet) this.options.settings.onWarning(fault);
    this.reshape();
  }

  private reshape(): void {
    this.shape += 1;
    this.tell('groups');
  }

  private tell(change: Change): void {
    for (const listener of this.listeners) listener(change);
  }

  private backoff(): number {
    this.failures += 1;
    return Math.min(MOST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.failures - 1, 5)) * (0.75 + Math.random() / 2);
  }

  private pause(ms: number): Promise<void> {
    if (this.closed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.awake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function topicsOf(partitions: readonly PartitionName[]): readonly string[] {
  return [...new Set(partitions.map(({ topic }) => topic))];
}

/** Brokers that have just started, or have just taken a group over, ask for a moment. */
function isStartUp(error: PenstockError): boolean {
  return ['GROUP_LOAD_IN_PROGRESS', 'GROUP_COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR_FOR_GROUP'].includes(protocolType(error) ?? '');
}

/** Consumers that are subscribed together begin together. */
function laterThisTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
