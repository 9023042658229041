import { Observable, type SchedulerLike, type Subscriber } from 'rxjs';
import { type Delivery, openDelivery } from '../../operators/index.js';
import { type Code, PenstockError } from '../diagnostics/index.js';
import { Alarm } from './alarm.js';
import { nameOf } from './balance.js';
import type { Committer } from './committer.js';
import { Credits } from './credits.js';
import { Feed, type FeedOwner } from './feed.js';
import type { BeatAnswer, GroupStore, PartitionName } from './log-store.js';
import { Membership } from './membership.js';
import { originOf } from './origin.js';
import { type Prepared, sizeOf } from './prepared.js';
import type { ConsumeOptions, Consumer, ConsumerState, LogRecord } from './transport.js';

export interface GroupConsumerOptions {
  readonly store: GroupStore;
  readonly committer: Committer;
  readonly clock: SchedulerLike;
  readonly consume: ConsumeOptions;
  /** Unique among all members of all processes. */
  readonly member: string;
  readonly releaseMs: number;
  /** How long a partition that goes to another member may finish what is out, in milliseconds. */
  readonly handoverMs: number;
  /** The most bytes in which the store can keep what has left beyond the offset. Defaults to any number. */
  readonly progressBytes?: number;
  /** A record that is given back is kept here, because the store cannot read it again. Defaults to false. */
  readonly keepReleased?: boolean;
  /** The consumer has ended and left its group. */
  onEnd(consumer: GroupConsumer): void;
  onWarning(error: Error): void;
}

/** Deliveries handed out in one turn of the event loop, and from one partition before the next has its turn. */
const MOST_PER_TURN = 256;
const MOST_IN_A_ROW = 32;

/** How long a wait for a quarter of the credits lasts at most, in milliseconds. */
const CREDIT_PAUSE_MS = 20;

/** What faults of the log are called. */
const FAULTS: Readonly<Partial<Record<Code, string>>> = {
  PS3002: 'disk_full',
  PS3007: 'access_refused',
  PS3008: 'topic_missing',
  PS3009: 'log_held',
};

/** However far off the next time seems, it is looked at again after so long: the clock may have been set, in milliseconds. */
const LONGEST_SLEEP_MS = 5000;

const NOWHERE = { offset: 0, beyond: new Uint8Array(0) };

/** One member of a consumer group, over any `LogStore`: takes part in balancing, hands out deliveries against credits, and commits what was settled. */
export class GroupConsumer implements Consumer, FeedOwner {
  readonly deliveries$: Observable<Delivery<LogRecord>>;
  private readonly credits: Credits;
  private readonly feeds = new Map<string, Feed>();
  private order: readonly Feed[] = [];
  private turn = 0;
  private subscriber: Subscriber<Delivery<LogRecord>> | undefined;
  private phase: 'new' | 'running' | 'draining' | 'leaving' | 'ended' = 'new';
  private awake = false;
  private readonly alarm: Alarm;
  private readonly membership: Membership;
  private unwatch: (() => void) | undefined;
  private readonly drained: (() => void)[] = [];
  private readonly flushed: (() => void)[] = [];

  constructor(private readonly options: GroupConsumerOptions) {
    this.credits = new Credits(options.consume.credits);
    this.alarm = new Alarm(options.clock, () => {
      this.credits.reopen();
      this.wake();
    });
    const { store, clock, member, consume, committer } = options;
    this.membership = new Membership({
      store,
      clock,
      member,
      group: consume.group,
      topics: consume.topics,
      from: consume.from ?? 'earliest',
      surrender: () => this.surrender(),
      assign: (answer) => this.assign(answer),
      failed: (error) => committer.report(error),
    });
    this.deliveries$ = new Observable((subscriber) => this.start(subscriber));
  }

  now(): number {
    return this.options.clock.now();
  }

  drain(): Promise<void> {
    if (this.phase === 'ended') return Promise.resolve();
    if (this.phase === 'new') {
      this.phase = 'ended';
      this.options.onEnd(this);
      return Promise.resolve();
    }
    if (this.phase === 'running') this.phase = 'draining';
    const promise = new Promise<void>((resolve) => this.drained.push(resolve));
    this.finishIfDrained();
    return promise;
  }

  pauseUntil(topic: string, partition: number, time: number): void {
    const feed = this.feeds.get(nameOf({ topic, partition }));
    if (feed === undefined) return;
    feed.pausedUntil = time;
    this.wake();
  }

  state(): ConsumerState {
    const { store, committer } = this.options;
    const now = this.now();
    let lag = 0;
    let paused = 0;
    let commitAgeMs = 0;
    let progressFill = 0;
    for (const feed of this.order) {
      commitAgeMs = Math.max(commitAgeMs, feed.standing(now));
      progressFill = Math.max(progressFill, feed.progressFill);
      const { topic, partition } = feed.lease;
      lag += Math.max(0, store.end(topic, partition) - feed.ledger.next) + feed.released.length;
      if (feed.pausedUntil > now || this.credits.exhausted || !feed.hasRoom(this.options.consume.credits.bytes)) paused += 1;
    }
    const fault = committer.fault ?? store.obstacle?.();
    return {
      inFlight: this.credits.inFlight,
      inFlightBytes: this.credits.inFlightBytes,
      assigned: this.order.map(({ assignment }) => assignment),
      paused,
      lag,
      fault: fault === undefined ? undefined : (FAULTS[fault.code] ?? 'log_unreachable'),
      faultText: fault?.message,
      commitAgeMs,
      progressFill,
    };
  }

  /** Asks the store again who holds what, and looks for records. */
  poke(): void {
    void this.membership.beat();
    this.wake();
  }

  /** Unsubscribes from outside: releases what is out and leaves the group. */
  stop(reason: string): void {
    if (this.phase === 'new') {
      this.phase = 'ended';
      this.options.onEnd(this);
    } else if (this.phase !== 'ended' && this.phase !== 'leaving') this.leave(reason);
  }

  ended(_feed: Feed, bytes: number): void {
    this.credits.give(bytes);
    if (this.credits.exhausted) this.alarm.at(this.now() + CREDIT_PAUSE_MS);
    else this.wake();
    if (this.credits.inFlight > 0) return;
    this.finishIfDrained();
    for (const resolve of this.flushed.splice(0)) resolve();
  }

  dirty(feed: Feed): void {
    this.options.committer.add(feed);
  }

  fenced(feed: Feed): void {
    this.lose(feed, 'another member has it');
    void this.membership.beat();
  }

  itemFailed(error: unknown, delivery: Delivery<unknown>): void {
    const { consume } = this.options;
    if (consume.onFailure === undefined) {
      delivery.settle('released', 'failed');
      return;
    }
    try {
      consume.onFailure(error, delivery);
    } catch (thrown) {
      this.warn(new PenstockError('PS7000', 'the handler of a failed delivery threw', { cause: thrown, origin: delivery.origin }));
      delivery.settle('released', 'the handler of the failure threw');
    }
  }

  refusal(record: Prepared): Error | undefined {
    return this.options.store.refusal(record);
  }

  warn(error: Error): void {
    this.options.onWarning(error);
  }

  private start(subscriber: Subscriber<Delivery<LogRecord>>): () => void {
    if (this.phase !== 'new') {
      subscriber.error(new PenstockError('PS7000', 'the deliveries of a consumer are subscribed once', { category: 'permanent' }));
      return () => undefined;
    }
    this.phase = 'running';
    this.subscriber = subscriber;
    this.unwatch = this.options.store.onChange((change) => {
      if (change === 'groups') this.membership.look();
      this.wake();
    });
    this.membership.join();
    return () => this.stop('unsubscribed');
  }

  private get open(): boolean {
    return this.phase === 'running' || this.phase === 'draining';
  }

  /** Ends what has to go to other members and may go now. */
  private surrender(): readonly PartitionName[] {
    const now = this.now();
    const given: PartitionName[] = [];
    for (const feed of this.order) {
      if (feed.leavesAt === Infinity || (feed.busy > 0 && feed.leavesAt > now)) continue;
      this.lose(feed, 'it goes to another member');
      given.push({ topic: feed.lease.topic, partition: feed.lease.partition });
    }
    return given;
  }

  private assign({ granted, surplus }: BeatAnswer): void {
    if (!this.open) return;
    const held = new Set<string>();
    const { group, credits, from } = this.options.consume;
    for (const { topic, partition, epoch, progress } of granted) {
      const name = nameOf({ topic, partition });
      held.add(name);
      const feed = this.feeds.get(name);
      if (feed !== undefined && feed.lease.epoch === epoch) continue;
      if (feed !== undefined) this.lose(feed, 'it was assigned anew');
      const lease = { group, member: this.options.member, topic, partition, epoch };
      const { releaseMs, progressBytes = Infinity, keepReleased = false } = this.options;
      const start = progress ?? (from === 'latest' ? { ...NOWHERE, offset: this.options.store.end(topic, partition) } : NOWHERE);
      const capacity = Math.max(64, Math.min(credits.count, 65_536) * 4);
      this.feeds.set(name, new Feed({ lease, start, capacity, releaseMs, progressBytes, keepReleased, owner: this }));
    }
    for (const [name, feed] of this.feeds) if (!held.has(name)) this.lose(feed, 'another member has it');
    const leaving = new Set(surplus.map(nameOf));
    for (const [name, feed] of this.feeds) {
      if (!leaving.has(name)) feed.leavesAt = Infinity;
      else if (feed.leavesAt === Infinity) feed.leavesAt = this.now() + this.options.handoverMs;
    }
    this.order = [...this.feeds.values()];
    this.wake();
  }

  private lose(feed: Feed, reason: string): void {
    const name = nameOf(feed.lease);
    if (this.feeds.get(name) === feed) {
      this.feeds.delete(name);
      this.order = [...this.feeds.values()];
    }
    feed.end(reason);
  }

  private wake(): void {
    if (this.awake || this.phase !== 'running') return;
    this.awake = true;
    setImmediate(() => {
      this.awake = false;
      if (this.phase === 'running') this.handOut();
    });
  }

  private handOut(): void {
    if (this.options.committer.fault !== undefined) return;
    const began = this.now();
    let budget = MOST_PER_TURN;
    let empty = 0;
    while (budget > 0 && empty < this.order.length) {
      const feed = this.order[this.turn % this.order.length]!;
      const { handed, blocked } = this.handOutFrom(feed, Math.min(budget, MOST_IN_A_ROW));
      if (this.phase !== 'running') return;
      // The partition that was refused keeps its turn, so that a large record is not overtaken for ever.
      if (blocked) {
        this.alarm.at(this.now() + CREDIT_PAUSE_MS);
        return;
      }
      this.turn += 1;
      budget -= handed;
      empty = handed === 0 ? empty + 1 : 0;
    }
    if (budget <= 0) this.wake();
    this.setAlarm(began);
  }

  private handOutFrom(feed: Feed, most: number): { readonly handed: number; readonly blocked: boolean } {
    const now = this.now();
    const { credits } = this.options.consume;
    let handed = 0;
    if (feed.leavesAt !== Infinity) {
      if (feed.busy === 0 || feed.leavesAt <= now) void this.membership.beat();
      return { handed, blocked: false };
    }
    if (feed.pausedUntil > now) return { handed, blocked: false };
    while (handed < most && !feed.isOver && this.phase === 'running' && feed.pausedUntil <= now) {
      const again = feed.released[0];
      // A time further off than the pause is from before the clock was set back.
      if (again !== undefined && (again.dueAt <= now || again.dueAt > now + this.options.releaseMs)) {
        const record = again.record ?? this.read(feed, again.offset)[0];
        if (this.phase !== 'running') break;
        if (record?.offset !== again.offset) feed.ledger.settle(again.seq);
        else if (this.credits.take(sizeOf(record))) {
          this.emit(feed, record, again.seq);
          handed += 1;
        } else return { handed, blocked: true };
        feed.resume(again);
        continue;
      }
      if (!feed.hasRoom(credits.bytes) || !this.fill(feed)) break;
      const record = feed.buffer[feed.bufferAt]!;
      if (!feed.ledger.hasLeft(record.offset) && !this.credits.take(sizeOf(record))) return { handed, blocked: true };
      feed.bufferAt += 1;
      const seq = feed.ledger.open(record.offset);
      if (seq === undefined) continue;
      this.emit(feed, record, seq);
      handed += 1;
    }
    return { handed, blocked: false };
  }

  private fill(feed: Feed): boolean {
    if (feed.bufferAt < feed.buffer.length) return true;
    const { topic, partition } = feed.lease;
    if (feed.ledger.next >= this.options.store.end(topic, partition)) return false;
    feed.buffer = this.read(feed, feed.ledger.next);
    feed.bufferAt = 0;
    if (feed.buffer.length > 0) return true;
    feed.passOver(this.options.store.passedOver?.(feed.lease) ?? 0);
    return false;
  }

  /** A record that cannot be read ends the stream: passing over it would lose it. */
  private read(feed: Feed, offset: number): readonly LogRecord[] {
    try {
      return this.options.store.read(feed.lease.topic, feed.lease.partition, offset);
    } catch (error) {
      this.subscriber?.error(error);
      return [];
    }
  }

  private emit(feed: Feed, record: LogRecord, seq: number): void {
    const claim = feed.claim(record, seq, sizeOf(record));
    this.subscriber!.next(claim.attach(openDelivery(record, originOf(record), claim)));
  }

  /**
   * Wakes at the next moment at which something is due: a released record, the end of a pause, the end of a hand-over. Seen from when the turn began:
   * what was passed over as not yet due, and has become due since, must not be forgotten.
   */
  private setAlarm(began: number): void {
    let at = Infinity;
    for (const feed of this.order) {
      const due = feed.released[0]?.dueAt ?? Infinity;
      at = Math.min(at, feed.leavesAt, feed.pausedUntil > began ? feed.pausedUntil : due);
    }
    if (at !== Infinity) this.alarm.at(Math.max(Math.min(at, this.now() + LONGEST_SLEEP_MS), this.now() + 1));
  }

  private finishIfDrained(): void {
    if (this.phase !== 'draining' || this.credits.inFlight > 0) return;
    this.leave('drained');
  }

  private leave(reason: string): void {
    const complete = this.phase === 'draining' && reason === 'drained';
    this.phase = 'leaving';
    this.unwatch?.();
    this.membership.stop();
    this.alarm.stop();
    for (const feed of this.feeds.values()) this.lose(feed, reason);
    void this.depart(complete);
  }

  private async depart(complete: boolean): Promise<void> {
    const { consume, member } = this.options;
    if (this.credits.inFlight > 0) await new Promise<void>((resolve) => this.flushed.push(resolve));
    try {
      await this.membership.depart();
    } catch (error) {
      this.warn(
        new PenstockError('PS3001', `member ${member} could not leave group ${consume.group}; its lease will run out`, { cause: error }),
      );
    }
    this.phase = 'ended';
    this.options.onEnd(this);
    if (complete) this.subscriber?.complete();
    for (const resolve of this.drained.splice(0)) resolve();
  }
}
