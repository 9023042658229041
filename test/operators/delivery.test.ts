import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ClaimOwner,
  type Delivery,
  type Ending,
  failPart,
  openDelivery,
  type Outcome,
  OUTCOMES,
  sameClaim,
} from '../../operators/index.js';

/** An owner that confirms when told to, and remembers what it heard. */
class Owner implements ClaimOwner {
  readonly endings: Ending[] = [];
  readonly failures: (readonly [error: unknown, value: unknown])[] = [];
  private readonly confirms: ((outcome: Outcome) => void)[] = [];

  constructor(
    private readonly atOnce = true,
    private readonly onFailure: (delivery: Delivery<unknown>) => void = () => undefined,
  ) {}

  settled(ending: Ending, confirm: (outcome: Outcome) => void): void {
    this.endings.push(ending);
    if (this.atOnce) confirm(ending.outcome);
    else this.confirms.push(confirm);
  }

  failed(error: unknown, delivery: Delivery<unknown>): void {
    this.failures.push([error, delivery.value]);
    this.onFailure(delivery);
  }

  confirm(outcome: Outcome): void {
    for (const confirm of this.confirms.splice(0)) confirm(outcome);
  }
}

const open = <T>(value: T, owner: ClaimOwner): Delivery<T> => openDelivery(value, undefined, owner);

describe('a claim', () => {
  it('ends once: the first call counts', () => {
    const owner = new Owner();
    const delivery = open('a', owner);
    delivery.settle('filtered', 'why');
    delivery.settle('delivered');
    expect(owner.endings).toEqual([{ origin: undefined, outcome: 'filtered', reason: 'why', carried: [] }]);
    expect(delivery.outcome).toBe('filtered');
  });

  it('is one for all its values', () => {
    const owner = new Owner();
    const delivery = open('a', owner);
    const other = delivery.with(1).with(true);
    other.settle('delivered');
    expect(delivery.outcome).toBe('delivered');
    expect(sameClaim(delivery, other)).toBe(true);
    expect(sameClaim(delivery, open('a', owner))).toBe(false);
    expect(other.value).toBe(true);
  });

  it('tells its listeners when its end is durable, the last to listen first', () => {
    const owner = new Owner(false);
    const delivery = open('a', owner);
    const heard: string[] = [];
    delivery.whenSettled((outcome) => heard.push(`one ${outcome}`));
    delivery.whenSettled((outcome, reason) => heard.push(`two ${outcome} ${reason}`));
    delivery.settle('delivered', 'all done');
    expect(heard).toEqual([]);
    owner.confirm('delivered');
    expect(heard).toEqual(['two delivered all done', 'one delivered']);
    delivery.whenSettled((outcome) => heard.push(`late ${outcome}`));
    expect(heard.at(-1)).toBe('late delivered');
  });

  it('counts as released what could not be made durable', () => {
    const owner = new Owner(false);
    const delivery = open('a', owner);
    let heard: Outcome | undefined;
    delivery.whenSettled((outcome) => {
      heard = outcome;
    });
    delivery.settle('delivered');
    owner.confirm('released');
    expect([heard, delivery.outcome]).toEqual(['released', 'released']);
  });

  it('tells every listener, also when one before it throws', () => {
    const delivery = open('a', new Owner());
    const heard: number[] = [];
    delivery.whenSettled(() => heard.push(1));
    delivery.whenSettled(() => {
      throw new Error('a bad listener');
    });
    delivery.whenSettled(() => heard.push(3));
    expect(() => delivery.settle('delivered')).toThrow('a bad listener');
    expect(heard).toEqual([3, 1]);
  });

  it('may be settled, and listened to, by a listener', () => {
    const delivery = open('a', new Owner());
    const heard: string[] = [];
    delivery.whenSettled((outcome) => {
      delivery.settle('released');
      delivery.whenSettled((again) => heard.push(`${outcome} ${again}`));
    });
    delivery.settle('delivered');
    expect(heard).toEqual(['delivered delivered']);
  });

  it('hands a failure to its owner once, with the value it failed with, and is no door by itself', () => {
    const owner = new Owner();
    const delivery = open('a', owner);
    delivery.with('changed').fail('boom');
    delivery.fail('again');
    expect(owner.failures).toEqual([['boom', 'changed']]);
    expect(delivery.outcome).toBeUndefined();
    delivery.settle('dead_lettered');
    expect(delivery.outcome).toBe('dead_lettered');
  });

  it('does not fail after its end', () => {
    const owner = new Owner();
    const delivery = open('a', owner);
    delivery.settle('delivered');
    delivery.fail('late');
    expect(owner.failures).toEqual([]);
  });

  it('carries what its owner makes durable with it, but nothing when it is released', () => {
    const owner = new Owner();
    const one = open('a', owner);
    one.carry('x');
    one.with(1).carry('y');
    one.settle('delivered');
    one.carry('late');
    const two = open('b', owner);
    two.carry('x');
    two.settle('released');
    expect(owner.endings.map(({ carried }) => carried)).toEqual([['x', 'y'], []]);
  });
});

describe('a fork', () => {
  const forked = (owner: ClaimOwner) => open('whole', owner).fork(['a', 'b']) as readonly [Delivery<string>, Delivery<string>];

  it('settles the whole when all parts have', () => {
    const owner = new Owner();
    const [a, b] = forked(owner);
    a.settle('filtered', 'no');
    expect(owner.endings).toEqual([]);
    b.settle('retried');
    expect(owner.endings.map(({ outcome }) => outcome)).toEqual(['delivered']);
  });

  it('releases the whole when any part was, and then nothing of the others is durable', () => {
    const owner = new Owner();
    const [a, b] = forked(owner);
    let heard: Outcome | undefined;
    a.whenSettled((outcome) => {
      heard = outcome;
    });
    a.carry('of a');
    a.settle('delivered');
    b.settle('released', 'shutting down');
    expect(owner.endings).toEqual([{ origin: undefined, outcome: 'released', reason: 'shutting down', carried: [] }]);
    expect(heard).toBe('released');
  });

  it('collects on the whole what its parts carry', () => {
    const owner = new Owner();
    const [a, b] = forked(owner);
    b.carry('of b');
    b.settle('delivered');
    a.carry('of a');
    a.settle('delivered');
    expect(owner.endings[0]?.carried).toEqual(['of b', 'of a']);
  });

  it('is durable when the whole is', () => {
    const owner = new Owner(false);
    const [a, b] = forked(owner);
    const heard: string[] = [];
    a.whenSettled((outcome) => heard.push(`a ${outcome}`));
    b.whenSettled((outcome) => heard.push(`b ${outcome}`));
    a.settle('filtered');
    b.settle('delivered');
    expect(heard).toEqual([]);
    owner.confirm('delivered');
    expect(heard.toSorted()).toEqual(['a filtered', 'b delivered']);
  });

  it('without parts is delivered at once', () => {
    const owner = new Owner();
    expect(open('whole', owner).fork([])).toEqual([]);
    expect(owner.endings.map(({ outcome }) => outcome)).toEqual(['delivered']);
  });

  it('of a fork settles from the leaves to the root', () => {
    const owner = new Owner();
    const [a, b] = forked(owner);
    const [a1, a2] = a.fork([1, 2]) as readonly [Delivery<number>, Delivery<number>];
    a1.settle('delivered');
    b.settle('delivered');
    expect(owner.endings).toEqual([]);
    a2.carry('deep');
    a2.settle('delivered');
    expect(owner.endings.map(({ outcome, carried }) => [outcome, carried])).toEqual([['delivered', ['deep']]]);
  });

  it('lets each part fail by itself', () => {
    const owner = new Owner(true, (delivery) => delivery.settle('dead_lettered'));
    const [a, b] = forked(owner);
    a.fail('of a');
    b.fail('of b');
    expect(owner.failures).toEqual([
      ['of a', 'a'],
      ['of b', 'b'],
    ]);
    expect(owner.endings.map(({ outcome }) => outcome)).toEqual(['delivered']);
  });

  it('releases its open parts when somebody ends the whole', () => {
    const owner = new Owner();
    const whole = open('whole', owner);
    const [a, b] = whole.fork(['a', 'b']) as readonly [Delivery<string>, Delivery<string>];
    a.settle('delivered');
    whole.settle('released', 'out of time');
    expect(b.outcome).toBe('released');
    expect(owner.endings.map(({ reason }) => reason)).toEqual(['out of time']);
  });

  it('hands a part that failed to the owner of the whole', () => {
    const owner = new Owner();
    const whole = open('whole', owner);
    const stranger = { ...open('part', owner) } as Delivery<string>;
    failPart(whole, 'boom', stranger);
    expect(owner.failures).toHaveLength(1);
    expect(whole.outcome).toBeUndefined();
  });
});

describe('whatever is done to a claim and its forks', () => {
  const act = fc.record({
    on: fc.nat({ max: 20 }),
    what: fc.constantFrom('settle', 'fail', 'fork', 'with', 'carry', 'listen'),
    outcome: fc.constantFrom(...OUTCOMES),
    parts: fc.nat({ max: 3 }),
  });

  it('its owner hears of one end, and every listener of one', () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 40 }), fc.boolean(), (acts, failureSettles) => {
        const owner = new Owner(true, (delivery) => {
          if (failureSettles) delivery.settle('dead_lettered');
        });
        const all: Delivery<unknown>[] = [open('root', owner)];
        const heard: number[] = [];
        for (const { on, what, outcome, parts } of acts) {
          const delivery = all[on % all.length]!;
          if (what === 'settle') delivery.settle(outcome);
          else if (what === 'fail') delivery.fail('boom');
          else if (what === 'fork') all.push(...delivery.fork(Array.from({ length: parts }, (_, at) => at)));
          else if (what === 'with') all.push(delivery.with('other'));
          else if (what === 'carry') delivery.carry('thing');
          else {
            const at = heard.push(0) - 1;
            delivery.whenSettled(() => {
              heard[at]! += 1;
            });
          }
        }
        for (const delivery of all.toReversed()) delivery.settle('delivered');
        expect(owner.endings).toHaveLength(1);
        expect(heard.every((times) => times === 1)).toBe(true);
        expect(all.every(({ outcome }) => outcome !== undefined)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
