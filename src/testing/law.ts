import type * as FastCheck from 'fast-check';
import { Observable, Subscription } from 'rxjs';
import { type ClaimOwner, type Delivery, openDelivery, type Outcome } from '../../operators/index.js';
import { MarblesError } from './report.js';
import { alone, microtasksDrained, VirtualTime } from './virtual-time.js';

/** What the callbacks of the operator under test do when they meet an item. */
export interface Behaviour {
  /** `answer` at once, `later` by a promise, `throw` at once, `reject` by a promise, `hang` for ever. */
  readonly kind: 'answer' | 'later' | 'throw' | 'reject' | 'hang';
  /** How long `later` and `reject` take, in milliseconds. */
  readonly ms: number;
}

/** An item of a generated stream. */
export interface LawItem<T> {
  readonly value: T;
  /** Milliseconds after the item before it; 0 is the same burst. */
  readonly gapMs: number;
  readonly behaviour: Behaviour;
  /** What whoever takes it does: settles it after so many milliseconds (0: at once), or fails it. */
  readonly taken: { readonly failing: boolean; readonly ms: number };
}

/** What the operator's callbacks are made of. */
export interface LawWorld<T> {
  /** Behaves as drawn for this item; a `later` and a `hang` only where `call` may be asynchronous. */
  readonly call: (value: LawItem<T>) => void | Promise<void>;
  /** Throws, or does nothing: for callbacks that must answer at once. */
  readonly act: (value: LawItem<T>) => void;
}

export interface LawOptions<T> {
  /** Values of items. Defaults to small integers. */
  readonly arbitrary?: FastCheck.Arbitrary<T>;
  /** The most items the operator may hold: given to it and neither passed on, settled nor failed. Defaults to no limit. */
  readonly maxHeld?: number;
  /** Items that hang must be let go by the operator itself (a time limit); without it, streams with hanging items end by unsubscribing. Defaults to false. */
  readonly endsHanging?: boolean;
  /** How many streams are tried. Defaults to 100. */
  readonly runs?: number;
  /** Repeats one generated sequence. */
  readonly seed?: number;
  /** How long after its last item a stream may take to come to rest, in virtual milliseconds. Defaults to an hour. */
  readonly restMs?: number;
}

/** How a generated stream ends. */
interface Ending {
  readonly kind: 'complete' | 'error' | 'unsubscribe' | 'never';
  readonly gapMs: number;
}

interface Fate {
  readonly item: LawItem<unknown>;
  passedOn: number;
  failed: number;
  outcome: Outcome | undefined;
}

/** One generated stream played against an operator. */
class Trial<T> {
  private readonly fates: Fate[] = [];
  private readonly complaints: string[] = [];
  private held = 0;
  private ended: 'complete' | 'error' | undefined;
  readonly time = new VirtualTime();
  private readonly subscription = new Subscription();

  constructor(
    private readonly items: readonly LawItem<T>[],
    private readonly ending: Ending,
    private readonly options: LawOptions<T>,
  ) {}

  readonly world: LawWorld<T> = {
    call: ({ behaviour: { kind, ms } }) => {
      if (kind === 'throw') throw new Error('thrown by the law');
      if (kind === 'later') return new Promise<void>((resolve) => setTimeout(resolve, ms));
      if (kind === 'reject') return new Promise<void>((_, reject) => setTimeout(() => reject(new Error('rejected by the law')), ms));
      if (kind === 'hang') return new Promise<void>(() => undefined);
      return undefined;
    },
    act: ({ behaviour: { kind } }) => {
      if (kind === 'throw' || kind === 'reject') throw new Error('thrown by the law');
    },
  };

  async run(operator: (source: Observable<Delivery<LawItem<T>>>) => Observable<Delivery<unknown>>): Promise<void> {
    this.time.install();
    try {
      this.subscription.add(
        operator(this.source()).subscribe({
          next: (delivery) => this.take(delivery),
          error: () => this.over('error'),
          complete: () => this.over('complete'),
        }),
      );
      const last = this.items.reduce((at, { gapMs }) => at + gapMs, 0) + this.ending.gapMs;
      await microtasksDrained();
      for (let next = this.time.nextAt; next !== undefined && next <= last + (this.options.restMs ?? 3_600_000); next = this.time.nextAt) {
        this.time.step();
        await microtasksDrained();
      }
      this.judge('at rest');
      this.subscription.unsubscribe();
      await microtasksDrained();
      this.judge('after unsubscribing');
    } finally {
      this.subscription.unsubscribe();
      this.time.uninstall();
    }
    if (this.complaints.length > 0) throw new MarblesError(this.complaints.join('\n'));
  }

  private source(): Observable<Delivery<LawItem<T>>> {
    return new Observable((subscriber) => {
      let at = 0;
      for (const item of this.items) {
        at += item.gapMs;
        this.time.schedule(() => subscriber.closed || subscriber.next(this.enter(item)), at, 'source');
      }
      const { kind, gapMs } = this.ending;
      this.time.schedule(
        () => {
          if (kind === 'complete') subscriber.complete();
          else if (kind === 'error') subscriber.error(new Error('the source failed'));
          else if (kind === 'unsubscribe') this.subscription.unsubscribe();
        },
        at + gapMs,
        'source',
      );
    });
  }

  private enter(item: LawItem<T>): Delivery<LawItem<T>> {
    const fate: Fate = { item, passedOn: 0, failed: 0, outcome: undefined };
    this.fates.push(fate);
    this.holds(1);
    const owner: ClaimOwner = {
      settled: (ending, confirm) => {
        if (fate.outcome !== undefined) this.complain(fate, 'was settled twice');
        if (fate.passedOn === 0 && fate.failed === 0) this.holds(-1);
        fate.outcome = ending.outcome;
        confirm(ending.outcome);
      },
      failed: (_error, delivery) => {
        fate.failed += 1;
        if (fate.passedOn === 0 && fate.failed === 1) this.holds(-1);
        delivery.settle('dead_lettered', 'failed');
      },
    };
    const delivery = openDelivery(item, undefined, owner);
    this.owners.set(item, fate);
    return delivery;
  }

  /** Items are compared by identity, so that equal values are still two items. */
  private readonly owners = new Map<unknown, Fate>();

  private take(delivery: Delivery<unknown>): void {
    const values = Array.isArray(delivery.value) ? (delivery.value as readonly unknown[]) : [itemsOf(delivery.value)].flat();
    if (delivery.outcome !== undefined) this.complaints.push('an item was passed on that had left already');
    let taken: LawItem<unknown>['taken'] = { failing: false, ms: 0 };
    for (const value of values) {
      const fate = this.owners.get(value);
      if (fate === undefined) continue;
      if (fate.outcome !== undefined) this.complain(fate, 'was passed on after it had left');
      fate.passedOn += 1;
      if (fate.passedOn === 1) this.holds(-1);
      taken = fate.item.taken;
    }
    const end = (): void => {
      if (taken.failing) delivery.fail(new Error('failed behind the operator'));
      else delivery.settle('delivered');
    };
    if (taken.ms === 0) end();
    else setTimeout(end, taken.ms);
  }

  private holds(more: 1 | -1): void {
    this.held += more;
    if (this.held > (this.options.maxHeld ?? Number.POSITIVE_INFINITY)) {
      this.complaints.push(`${this.held} items are held, ${this.options.maxHeld} are allowed`);
    }
  }

  private over(how: 'complete' | 'error'): void {
    if (this.ended !== undefined) this.complaints.push(`the stream ended by ${how} after it had ended by ${this.ended}`);
    this.ended = how;
  }

  private complain({ item }: Fate, what: string): void {
    this.complaints.push(`item ${this.items.indexOf(item as LawItem<T>)} (${item.behaviour.kind}) ${what}`);
  }

  private judge(when: string): void {
    const hanging = this.options.endsHanging !== true && this.items.some(({ behaviour }) => behaviour.kind === 'hang');
    if (when === 'after unsubscribing' || !hanging) {
      for (const fate of this.fates)
        if (fate.outcome === undefined) this.complain(fate, `never left (${when}, the source ended by: ${this.ending.kind})`);
    }
    if (when !== 'at rest' || hanging) return;
    if (this.ending.kind === 'complete' && this.ended !== 'complete') this.complaints.push('the source completed and the stream did not');
    if (this.ending.kind === 'error' && this.ended !== 'error') this.complaints.push('the source failed and the stream did not');
  }
}

function itemsOf(value: unknown): readonly unknown[] {
  // Batches carry their values beside their members.
  return typeof value === 'object' && value !== null && 'values' in value && Array.isArray(value.values) ? value.values : [value];
}

/**
 * The law, tried with generated streams: any burst and pause, callbacks that answer, answer later, throw, reject or hang, takers that settle late or
 * fail, a source that completes, fails or never ends, and somebody who leaves early. Each item must be passed on, settled or failed, must leave once,
 * must not be passed on after it left; nothing may be in flight at the end; the stream ends as its source did; and no more than `maxHeld` are held.
 *
 * Needs `fast-check`, which is loaded only here.
 *
 * @throws the smallest counterexample that was found.
 */
export async function settlesEach<T = number>(
  create: (world: LawWorld<T>) => (source: Observable<Delivery<LawItem<T>>>) => Observable<Delivery<unknown>>,
  options: LawOptions<T> = {},
): Promise<void> {
  const fc = await import('fast-check');
  const value = options.arbitrary ?? (fc.nat({ max: 3 }) as unknown as FastCheck.Arbitrary<T>);
  const pause = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: fc.nat({ max: 12 }) });
  const item: FastCheck.Arbitrary<LawItem<T>> = fc.record({
    value,
    gapMs: pause,
    behaviour: fc.record({
      kind: fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom<Behaviour['kind']>('answer', 'later') },
        { weight: 3, arbitrary: fc.constantFrom<Behaviour['kind']>('throw', 'reject') },
        { weight: 1, arbitrary: fc.constant<Behaviour['kind']>('hang') },
      ),
      ms: pause,
    }),
    taken: fc.record({
      failing: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
      ms: pause,
    }),
  });
  const ending: FastCheck.Arbitrary<Ending> = fc.record({
    kind: fc.constantFrom<Ending['kind']>('complete', 'complete', 'error', 'unsubscribe', 'never'),
    gapMs: pause,
  });
  await fc.assert(
    fc.asyncProperty(fc.array(item, { maxLength: 12 }), ending, async (items, how) => {
      const trial = new Trial<T>(items, how, options);
      await alone(() => trial.run(create(trial.world)));
    }),
    { numRuns: options.runs ?? 100, ...(options.seed === undefined ? {} : { seed: options.seed }) },
  );
}
