import type { Kafka } from 'kafkajs';
import type { PenstockError } from '../../diagnostics/index.js';
import type { BeatAnswer, Change, Lease, PartitionName, WriteResult, WriteUnit } from '../log-store.js';
import type { Prepared } from '../prepared.js';
import type { LogRecord } from '../transport.js';
import { Assignments } from './assignments.js';
import { CommitPath } from './commit-path.js';
import { CommitSender } from './commit-sender.js';
import { isWithoutCoordinator, protocolType, toPenstock } from './failure.js';
import { GroupView, type SharedMember } from './group-view.js';
import { Intake } from './intake.js';
import type { MarkTopics } from './mark-topics.js';
import type { BatchingProducer } from './producer.js';
import type { Placed } from './record.js';
import { Session, type SessionListener } from './session.js';
import type { KafkaSettings } from './settings.js';
import type { TopicDirectory } from './topic-directory.js';
import { TopicLookout } from './topic-lookout.js';
import { Watchdog } from './watchdog.js';

export interface MemberOptions {
  readonly client: () => Kafka;
  readonly settings: KafkaSettings;
  readonly directory: TopicDirectory;
  readonly producer: Pick<BatchingProducer, 'send'>;
  readonly marks: MarkTopics;
  readonly group: string;
  readonly from: 'earliest' | 'latest';
  place(records: readonly Prepared[]): Promise<readonly Placed[]>;
  refusal(record: Prepared): Error | undefined;
}

const LOOK_FOR_TOPICS_MS = 1000;
const FIRST_PAUSE_MS = 250;
const MOST_PAUSE_MS = 5000;
/** How long a member keeps the topics of a view that has left, so that what is out of the others may leave as well, in milliseconds. */
const PARTING_MS = 60_000;

/**
 * One member of a group on Kafka, as the group consumer above wants it: which partitions it holds, what was fetched of them, and a way to commit. It lives
 * through sessions of the client, one after another, and says what is wrong while there is none.
 */
export class KafkaMember implements SharedMember {
  private readonly views = new Set<GroupView>();
  private readonly listeners = new Set<(change: Change) => void>();
  private session: Session | undefined;
  private living: Promise<void> | undefined;
  private closed = false;
  private shape = 0;
  /** Until the topics of views that have left go to other members. */
  private parting: NodeJS.Timeout | undefined;
  private failures = 0;
  /** Since it was last known where to begin. */
  private fetches = 0;
  private fault: PenstockError | undefined;
  /** Ends the session: by a failure, or as planned. */
  private over: ((error: PenstockError | undefined) => void) | undefined;
  private awake: (() => void) | undefined;
  private readonly intake: Intake;
  private readonly assignments: Assignments;
  private readonly sender: CommitSender;
  private readonly path: CommitPath;
  private readonly watchdog: Watchdog;
  private readonly lookout: TopicLookout;

  constructor(private readonly options: MemberOptions) {
    const { settings, directory, producer, marks, group, from } = options;
    const session = () => this.session;
    const onWarning = (error: Error) => settings.onWarning(error);
    this.intake = new Intake({
      settings,
      directory,
      session,
      arrived: () => this.tell('records'),
      cut: (held, end) => this.assignments.cut(held, end),
      madeAnew: (topic) => this.assignments.madeAnew(topic),
      removed: (held, count, start) => this.assignments.removed(held, count, start),
      overwritten: (held) => this.sender.repeat(held, this.session),
      lost: (error) => this.restart(error),
    });
    this.assignments = new Assignments({
      group,
      from,
      intake: this.intake,
      directory,
      marks,
      session,
      made: () => {
        this.sender.joined(this.sender.via);
        this.path.hold();
      },
      checked: () => this.path.changed(),
      begun: () => this.begun(),
      changed: () => this.reshape(),
      failed: (error) => this.setFault(error),
      pause: (attempt) => this.pause(pauseAfter(attempt)),
      keep: (places, isOver) => this.sender.keep(places, session, isOver),
      onWarning,
    });
    this.sender = new CommitSender({
      group,
      patienceMs: settings.stallMs,
      commitsOf: (partition) => this.intake.of(partition)?.commits,
      hopeless: (error) => this.restart(error),
    });
    this.path = new CommitPath({
      producer,
      marks,
      place: (records) => options.place(records),
      isCurrent: (lease) => this.isCurrent(lease),
      send: (request) => this.sender.send(request, this.session, this.fault),
      fault: () => this.fault,
      committed: (lease, progress) => {
        const held = this.intake.of(lease);
        if (held?.epoch === lease.epoch) held.stands = progress;
      },
    });
    this.lookout = new TopicLookout(directory, onWarning);
    this.watchdog = new Watchdog({
      settings,
      directory,
      group,
      held: () => this.intake.all,
      beatAt: () => (this.assignments.since === 0 ? undefined : this.session?.beatAt),
      cut: (held, end) => this.assignments.cut(held, end),
      madeAnew: (topic) => this.assignments.madeAnew(topic),
      skip: (held, offset) => this.intake.skip(held, offset),
      restart: (error) => this.restart(error),
    });
  }

  refusal(record: Prepared): Error | undefined {
    return this.options.refusal(record);
  }

  end(topic: string, partition: number): number {
    return this.intake.of({ topic, partition })?.end ?? 0;
  }

  read(topic: string, partition: number, from: number): readonly LogRecord[] {
    return this.intake.read(topic, partition, from);
  }

  passedOver({ topic, partition, epoch }: Lease): number {
    const held = this.intake.of({ topic, partition });
    return held !== undefined && held.epoch === epoch && held.buffer.length === 0 ? held.buffer.next : 0;
  }

  /** Another consumer of the same process that reads other topics of the group; undefined when it came too late, or reads the same. */
  view(topics: readonly string[], creditBytes: number): GroupView | undefined {
    if (this.living !== undefined || [...this.views].some((view) => view.topics.some((topic) => topics.includes(topic)))) return undefined;
    const view = new GroupView(this, topics);
    this.views.add(view);
    this.intake.creditBytes += creditBytes;
    return view;
  }

  /** The first call begins to join; each says what is held now. Rejects while the group cannot be reached. */
  held(): Promise<BeatAnswer> {
    this.living ??= laterThisTurn().then(() => this.live());
    if (this.fault !== undefined) return Promise.reject(this.fault);
    const granted = this.intake.all.map(({ topic, partition, epoch, progress }) => ({ topic, partition, epoch, progress }));
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
      // The session that has these topics ends later, and with it whatever of the others is out then: they may be about to go as well.
      this.assignments.leave(view.topics);
      this.reshape();
      this.parting ??= setTimeout(() => {
        this.parting = undefined;
        this.over?.(undefined);
      }, PARTING_MS);
      return;
    }
    this.closed = true;
    clearTimeout(this.parting);
    this.watchdog.stop();
    this.assignments.end();
    this.path.changed();
    this.over?.(undefined);
    this.awake?.();
    await this.living;
  }

  private topics(): readonly string[] {
    return [...new Set([...this.views].flatMap((view) => view.topics))];
  }

  private joined(partitions: readonly PartitionName[], continuous: boolean): void {
    const topics = this.topics();
    const ours = partitions.filter(({ topic }) => topics.includes(topic));
    for (const partition of partitions) if (!ours.includes(partition)) this.session?.pause(partition);
    this.assignments.make(ours, continuous);
  }

  private isCurrent(lease: Lease): boolean {
    return this.intake.of(lease)?.epoch === lease.epoch;
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
    const listener: SessionListener = {
      joined: (partitions, continuous) => this.joined(partitions, continuous),
      filtered: (partition, first, last) => this.intake.passOver(partition, first, last),
      batch: (payload) => {
        this.sender.via = payload.commitOffsetsIfNecessary;
        return this.intake.take(payload);
      },
      fetched: () => this.fetched(),
      ended: (error) => this.over?.(error),
      owned: () => ({ owned: this.intake.all.map(({ topic, partition }) => ({ topic, partition })), since: this.assignments.since }),
    };
    const ended = new Promise<PenstockError | undefined>((resolve) => {
      this.over = resolve;
    });
    const session = new Session({ client, settings, group, topics, listener });
    this.session = session;
    this.sender.joined(undefined);
    session.start().catch((error: unknown) => listener.ended(error as PenstockError));
    const looking = topics.length < this.topics().length ? this.lookForMore(topics) : undefined;
    const reason = await this.named(await ended);
    clearInterval(looking);
    clearTimeout(this.parting);
    this.parting = undefined;
    this.over = undefined;
    this.session = undefined;
    this.assignments.end();
    this.path.changed();
    if (reason !== undefined) this.options.directory.elsewhere();
    if (!this.closed && reason !== undefined) this.setFault(reason, isStartUp(reason) && this.failures === 0);
    this.reshape();
    await session.close();
    return reason;
  }

  /** The brokers' own reason where the client keeps it to itself. */
  private async named(reason: PenstockError | undefined): Promise<PenstockError | undefined> {
    const { directory, group } = this.options;
    if (this.closed || !isWithoutCoordinator(reason)) return reason;
    return directory
      .coordinated(group, Promise.reject(reason))
      .catch((error: unknown) => toPenstock(error, `group ${group} cannot be joined`));
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

  private begun(): void {
    this.fetches = 0;
    this.watchdog.start();
    this.reshape();
  }

  /** A group that is joined proves nothing yet: a fault is over when fetches come back. The first may have been sent before there was anything to fetch. */
  private fetched(): void {
    if (!this.assignments.understood) return;
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
    return pauseAfter(this.failures - 1) * (0.75 + Math.random() / 2);
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

/** How long to wait before it is tried again, in milliseconds. */
function pauseAfter(failures: number): number {
  return Math.min(MOST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures, 5));
}

/** Brokers that have just started, or have just taken a group over, ask for a moment. */
function isStartUp(error: PenstockError): boolean {
  return ['GROUP_LOAD_IN_PROGRESS', 'GROUP_COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR_FOR_GROUP'].includes(protocolType(error) ?? '');
}

/** Consumers that are subscribed together begin together. */
function laterThisTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
