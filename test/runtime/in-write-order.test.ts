import fc from 'fast-check';
import { Subject } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Delivery, openDelivery, type Origin } from '../../operators/index.js';
import { inWriteOrder } from '../../src/runtime/in-write-order.js';
import { RetryOrder } from '../../src/runtime/retry-order.js';
import type { Mark, NewRecord } from '../../src/transport/transport.js';

interface Message {
  readonly number: number;
  readonly key: string;
  readonly partition: number;
  /** How often it fails before its row is made. */
  readonly fails: number;
  /** Given back by whatever is behind the lanes, the first time. */
  readonly released: boolean;
}

interface Copy {
  readonly message: Message;
  readonly headers: Readonly<Record<string, string>>;
}

const GROUP = 'writer';
const COMES_BACK = { redelivered_from: 'retry', consumer_group: GROUP };
const DELAY = { delayMs: 10, dueAt: 10 };

/** A log, a retry topic whose records come back in any order, and a writer that writes what is before everything that has not left. */
class Model {
  readonly written: number[] = [];
  readonly marks = new Map<string, Mark>();
  private readonly log: Copy[][] = [[], []];
  private readonly next = [0, 0];
  private readonly left = [new Set<number>(), new Set<number>()];
  private readonly rows = [new Map<number, Delivery<Message>>(), new Map<number, Delivery<Message>>()];
  private readonly parked: Copy[] = [];
  private readonly givenBack: Origin[] = [];
  private readonly working: Delivery<Message>[] = [];
  private readonly releasedOnce = new Set<number>();
  private readonly in$ = new Subject<Delivery<Message>>();
  private readonly order: RetryOrder;

  constructor(messages: readonly Message[]) {
    for (const message of messages) this.log[message.partition]!.push({ message, headers: {} });
    const marks = {
      get: (key: string, now: number) => {
        const mark = this.marks.get(key);
        return mark === undefined || mark.expiresAt <= now ? undefined : { value: mark.value ?? '', expiresAt: mark.expiresAt };
      },
      has: (key: string, now: number) => marks.get(key, now) !== undefined,
      stats: () => ({ size: this.marks.size, evicted: 0 }),
    };
    this.order = new RetryOrder({ group: GROUP, marks, store: 'parked' });
    const spill = (_message: Message, { headers }: { readonly headers: Readonly<Record<string, string>> }): NewRecord => ({
      topic: 'retry',
      key: null,
      value: null,
      headers,
    });
    this.in$
      .pipe(
        inWriteOrder<Message>({
          key: ({ key }) => key,
          retries: { order: this.order, spill, sink: (record, delivery) => delivery.carry(record) },
        }),
      )
      .subscribe((delivery) => this.working.push(delivery));
  }

  /** Everything that may happen now. */
  steps(): (() => void)[] {
    return [
      ...this.log.flatMap((log, at) => (this.next[at]! < log.length ? [() => this.hand(at, this.next[at]!++)] : [])),
      ...this.working.map((_, at) => () => this.work(this.working.splice(at, 1)[0]!)),
      ...[0, 1].flatMap((at) => (this.firstRow(at) === undefined ? [] : [() => this.write(at)])),
      ...this.givenBack.map(({ partition, offset }, at) => () => {
        this.givenBack.splice(at, 1);
        this.hand(partition, offset);
      }),
      ...this.parked.map((copy, at) => () => {
        this.parked.splice(at, 1);
        this.log[copy.message.partition]!.push(copy);
      }),
    ];
  }

  private hand(partition: number, offset: number): void {
    const { message, headers } = this.log[partition]![offset]!;
    const origin: Origin = { topic: 't', partition, offset, key: message.key, headers, timestamp: 0 };
    this.in$.next(
      openDelivery(message, origin, {
        settled: ({ outcome, carried }, confirm) => {
          for (const mark of this.order.atEnd(origin, outcome)) this.marks.set(mark.key, mark);
          for (const record of carried as readonly Copy[]) this.parked.push({ message, headers: { ...record.headers, ...COMES_BACK } });
          if (outcome === 'released') this.givenBack.push(origin);
          else this.left[partition]!.add(offset);
          confirm(outcome);
        },
        failed: (_error, failed) => {
          const again = { ...message, fails: message.fails - 1 };
          this.parked.push({ message: again, headers: { ...this.order.retried(origin, DELAY), ...COMES_BACK } });
          failed.settle('retried');
        },
      }),
    );
  }

  private work(delivery: Delivery<Message>): void {
    const { number, fails, released } = delivery.value;
    const { partition, offset } = delivery.origin!;
    if (released && !this.releasedOnce.has(number)) {
      this.releasedOnce.add(number);
      delivery.settle('released');
    } else if (fails > 0) delivery.fail(new Error('not yet'));
    else this.rows[partition]!.set(offset, delivery);
  }

  /** The first that has not left, when its row is here. */
  private firstRow(partition: number): Delivery<Message> | undefined {
    let offset = 0;
    while (this.left[partition]!.has(offset)) offset += 1;
    return this.rows[partition]!.get(offset);
  }

  private write(partition: number): void {
    for (let row = this.firstRow(partition); row !== undefined; row = this.firstRow(partition)) {
      this.rows[partition]!.delete(row.origin!.offset);
      this.written.push(row.value.number);
      row.settle('delivered');
    }
  }
}

const KEYS = ['a', 'b', 'c'];
const messages = (released: fc.Arbitrary<boolean>) =>
  fc
    .array(fc.record({ key: fc.nat(KEYS.length - 1), fails: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.nat(2)), released }), {
      minLength: 1,
      maxLength: 12,
    })
    .map((drawn) => drawn.map(({ key, ...rest }, number): Message => ({ ...rest, number, key: KEYS[key]!, partition: key % 2 })));
const choices = fc.array(fc.nat(1000), { maxLength: 200 });

function play(drawn: readonly Message[], chosen: readonly number[]): Model {
  const model = new Model(drawn);
  for (const choice of chosen) {
    const steps = model.steps();
    steps[choice % steps.length]?.();
  }
  // What is left to do is done in turn; what comes back too early goes round.
  for (let steps = model.steps(), done = 0; steps.length > 0; steps = model.steps(), done += 1) {
    expect(done, 'it goes in circles').toBeLessThan(2000);
    steps[0]!();
  }
  return model;
}

describe('inWriteOrder', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 0 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('L3: rows of a key are written in its order, whatever fails, in whatever order it comes back', () => {
    fc.assert(
      fc.property(messages(fc.constant(false)), choices, (drawn, chosen) => {
        const { written, marks } = play(drawn, chosen);
        for (const key of KEYS) {
          const ofKey = drawn.filter((message) => message.key === key).map(({ number }) => number);
          expect(written.filter((number) => drawn[number]!.key === key)).toEqual(ofKey);
        }
        expect([...marks.values()].filter(({ expiresAt }) => expiresAt > 0)).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });

  it('L1: each row is written once, and nobody waits for ever, whoever is given back meanwhile', () => {
    fc.assert(
      fc.property(messages(fc.boolean()), choices, (drawn, chosen) => {
        expect(play(drawn, chosen).written.toSorted((a, b) => a - b)).toEqual(drawn.map(({ number }) => number));
      }),
      { numRuns: 2000 },
    );
  });
});
