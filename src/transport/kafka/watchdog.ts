import { PenstockError } from '../../diagnostics/index.js';
import { toPenstock } from './failure.js';
import { type Held, isAnother } from './held-partition.js';
import type { KafkaSettings } from './settings.js';
import type { TopicDirectory } from './topic-directory.js';

export interface WatchdogOptions {
  readonly settings: KafkaSettings;
  readonly directory: Pick<TopicDirectory, 'offsets' | 'topicIds' | 'firstRecord'>;
  readonly group: string;
  held(): readonly Held[];
  /** When the group last heard of this member; undefined while it is not in it. */
  beatAt(): number | undefined;
  /** The log ends before what was read of it. */
  cut(held: Held, end: number): void;
  /** The topic is another one under the same name. */
  madeAnew(topic: string): void;
  /** The log has nothing to read below the offset. */
  skip(held: Held, offset: number): void;
  /** The session must be made anew. */
  restart(error: PenstockError): void;
}

/**
 * Looks, from outside of the client, whether every partition moves: one that has records, room and no fetch for too long is named, and the session is
 * made anew; unless there is nothing to be read where it stands. A heartbeat that comes proves nothing of the partitions, so both are looked at.
 */
export class Watchdog {
  private timer: NodeJS.Timeout | undefined;
  private looking = false;

  constructor(private readonly options: WatchdogOptions) {}

  private get everyMs(): number {
    return Math.min(5000, this.options.settings.stallMs / 3);
  }

  start(): void {
    this.timer ??= setInterval(() => void this.look(), this.everyMs).unref();
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private async look(): Promise<void> {
    if (this.looking || !this.isHeard()) return;
    this.looking = true;
    try {
      await this.lookOnce();
    } catch (error) {
      // Nobody can be asked at the moment: consuming meets the same trouble, and says so.
      void toPenstock(error, 'the ends of partitions cannot be asked for');
    } finally {
      this.looking = false;
    }
  }

  private isHeard(): boolean {
    const { settings, group } = this.options;
    const silence = Date.now() - (this.options.beatAt() ?? Date.now());
    if (silence <= settings.stallMs) return true;
    this.options.restart(stalled(`group ${group} has not been told of this member`, silence));
    return false;
  }

  private async lookOnce(): Promise<void> {
    const { directory, settings } = this.options;
    for (const topic of new Set(this.options.held().map((held) => held.topic))) {
      // What is read while the answer is under way may go past it.
      const before = new Map(this.options.held().map((held) => [held, held.buffer.next]));
      const [bounds, ids] = await Promise.all([directory.offsets(topic), directory.topicIds([topic])]);
      const now = Date.now();
      if (this.options.held().some((held) => held.topic === topic && isAnother(held, ids.get(topic)))) return this.options.madeAnew(topic);
      for (const held of this.options.held()) {
        const found = held.topic === topic ? bounds[held.partition] : undefined;
        if (found === undefined) continue;
        held.end = Math.max(found.end, held.buffer.next > found.end ? found.end : held.end);
        if (found.end < (before.get(held) ?? 0)) {
          this.options.cut(held, found.end);
          return;
        }
        if (found.end <= held.buffer.next || held.paused) held.movedAt = now;
        else if (now - held.movedAt > settings.stallMs) {
          const { partition, buffer } = held;
          this.options.restart(stalled(`${topic}/${partition} has ${found.end - buffer.next} records and gives none`, now - held.movedAt));
          return;
        } else if (now - held.movedAt > this.everyMs && !held.straying) await this.lookAhead(held, found.end);
      }
    }
  }

  /** The client stops for ever in front of batches that compaction has emptied, where nothing else comes with them: it is put behind them. */
  private async lookAhead(held: Held, end: number): Promise<void> {
    const { topic, partition, buffer } = held;
    const from = buffer.next;
    // Where nobody can be asked now, the next look asks again.
    const first = await this.options.directory.firstRecord(topic, partition, from, end).catch(() => from);
    if (first > from && buffer.next === from && this.options.held().includes(held)) this.options.skip(held, first);
  }
}

function stalled(what: string, ms: number): PenstockError {
  return new PenstockError('PS3001', `${what} for ${Math.round(ms / 1000)} s: the consumer is made anew`, { category: 'transient' });
}
