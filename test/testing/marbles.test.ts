import { asapScheduler, delay, map, type MonoTypeOperatorFunction, mergeMap, NEVER, of, take, tap, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { callEach, type Delivery, filterOut, mapEach } from '../../operators/index.js';
import type { Action, Context, Passed } from '../../src/plugin/index.js';
import {
  LaneError,
  type Lanes,
  MarblesError,
  marbles,
  marblesSync,
  type MarblesOptions,
  type MarbleSubject,
} from '../../src/testing/index.js';

const same: MarbleSubject = (source) => source;
const drop = ((source) => source.pipe(mergeMap(() => NEVER))) satisfies MarbleSubject;
const great = mapEach((value: string) => value.toUpperCase());

type Wrong = readonly [what: string, subject: MarbleSubject, lanes: Lanes, message: RegExp, options?: MarblesOptions];

const wrong: readonly Wrong[] = [
  ['a value that is another', great, { in: '-a-|', out: '-b-|' }, /^out, 1 ms: expected b, received \?/],
  ['a value that comes late', same, { in: '--a|', out: '-a-|' }, /^out, 1 ms: expected a, received nothing/],
  ['a value that is missing', filterOut(() => true), { in: 'a|', out: 'a|' }, /out, 0 ms: expected a, received nothing/],
  ['a value too many', same, { in: 'ab|', out: 'a-|' }, /^out, 1 ms: expected nothing, received b/],
  ['values in another order', same, { in: '(ab)|', out: '(ba)|' }, /^out, 0 ms: expected b, received a/],
  [
    'a lane that is not drawn',
    filterOut(() => true, 'unwanted'),
    { in: 'a|', out: '-|' },
    /^filtered, 0 ms: expected nothing, received a \(unwanted\)/,
  ],
  ['out that is not drawn', same, { in: 'a|' }, /^out, 0 ms: expected nothing, received a/],
  [
    'a lane that is drawn and receives nothing',
    same,
    { in: 'a|', out: 'a|', released: 'a' },
    /^released, 0 ms: expected a, received nothing/,
  ],
  [
    'a completion that is missing',
    (source) => source.pipe(mergeMap(() => NEVER)),
    { in: '-|', out: '-' },
    /^out, 1 ms: expected nothing, received completion/,
  ],
  ['a completion that was drawn', same, { in: 'a-', out: 'a|' }, /^out, 1 ms: expected completion, received nothing/],
  ['an error that is another', same, { in: '#', out: '-' }, /^out, 0 ms: expected nothing, received an error \(error\)/],
  ['an item that never leaves', drop, { in: '-a--b-|', out: '-' }, /^a entered at 1 ms and never left.*\nb entered at 4 ms and never left/],
  [
    'an item that was to be in flight',
    same,
    { in: 'a|', out: 'a|' },
    /^a was expected to be in flight at the end and was not/,
    { inFlight: 'a' },
  ],
  [
    'another reason',
    filterOut(() => true, 'one'),
    { in: 'a|', out: '-|', filtered: 'a' },
    /^filtered: a left for the reason "one", expected "two"/,
    { reasons: { a: 'two' } },
  ],
  [
    'a reason that does not match',
    filterOut(() => true, 'one'),
    { in: 'a|', out: '-|', filtered: 'a' },
    /expected \/tw\//,
    { reasons: { a: /tw/ } },
  ],
  [
    'a reason of an item that has none',
    same,
    { in: 'a|', out: 'a|' },
    /^a did not leave for a reason, expected "one"/,
    { reasons: { a: 'one' } },
  ],
  [
    'a reason that was never said',
    filterOut(() => true),
    { in: 'a|', out: '-|', filtered: 'a' },
    /^b did not leave for a reason, expected \/x\//,
    { reasons: { b: /x/ } },
  ],
  ['a tolerance that is too small', same, { in: '---a|', out: 'a---|' }, /^out, 0 ms: expected a, received nothing/, { tolerance: 2 }],
  [
    'a lane in any order that lacks one',
    same,
    { in: 'ab|', out: 'ac|' },
    /^out, in any order: expected also c, received also b/,
    { unordered: ['out'] },
  ],
  [
    'a lane that is ignored by another name',
    filterOut(() => true),
    { in: 'a|', out: '-|' },
    /^filtered, 0 ms/,
    { ignore: ['filter', 'f*r'] },
  ],
  [
    'a lane that is drawn, and ignored besides',
    same,
    { in: 'a|', out: '-a|' },
    /^out, 0 ms: expected nothing, received a/,
    { ignore: ['*', 'out'] },
  ],
  [
    'one more of the same',
    filterOut(() => true),
    { in: '(aa)|', out: '----|', filtered: 'a' },
    /^filtered, 0 ms: expected nothing, received a/,
  ],
  [
    'an item delivered behind the back of the sink',
    (source) => source.pipe(tap((delivery: Delivery<string>) => delivery.settle('delivered'))),
    { in: 'a-', out: 'a-' },
    /^delivered, 0 ms: expected nothing, received a/,
  ],
];

const badly: readonly (readonly [lane: string, message: RegExp])[] = [
  ['(ab', /a group is not closed/],
  ['ab)', /a group closes that was not opened/],
  ['((a))', /a group opens inside a group/],
  ['(a-b)', /time does not pass inside a group/],
  ['a|b', /"b" comes after the end "\|"/],
  ['a#|', /"\|" comes after the end "#"/],
  ['a!', /"!" belongs into the lane "sub"/],
  ['^a^', /second "\^"/],
  ['a 9ms', /the duration 9ms at the end is followed by nothing/],
];

describe('a drawing that is wrong fails, and says where', () => {
  it.each(wrong)('%s', async (...row) => {
    const [, subject, lanes, message, options] = row as unknown as Wrong;
    const error: unknown = await marbles(subject, lanes, options).then(
      () => 'it passed',
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(MarblesError);
    expect((error as Error).message).toMatch(message);
  });

  it.each(badly)('a lane drawn as %s', async (lane, message) => {
    await expect(marbles(same, { in: lane })).rejects.toThrow(message);
    expect(() => marblesSync(same, { in: lane })).toThrow(LaneError);
  });

  it('a lane drawn twice, a line that is none, no lanes at all, two places to leave', async () => {
    await expect(marbles(same, 'in  a|\nin  b|')).rejects.toThrow(/drawn twice/);
    await expect(marbles(same, 'in-a|')).rejects.toThrow(/two spaces/);
    await expect(marbles(same, {})).rejects.toThrow(/without lanes/);
    await expect(marbles(same, { in: 'a', sub: '^!!' })).rejects.toThrow(/one "\^" and one "!"/);
  });

  it('the message shows both lanes, one under the other, and explains what has no letter', async () => {
    const error: unknown = await marbles(great, { in: '-a-b-|', out: '-A-x-|' }).catch((thrown: unknown) => thrown);
    expect((error as Error).message).toBe(
      [
        'out, 3 ms: expected x, received ?',
        '',
        '  in            -a-b-|',
        '  out expected  -A-x-|',
        '  out received  -A-?-|',
        "? is 'B'",
      ].join('\n'),
    );
  });

  it('an error thrown by a timer', async () => {
    const throwing: MarbleSubject = (source) => {
      setTimeout(() => {
        throw new Error('in a timer');
      }, 2);
      return source;
    };
    await expect(marbles(throwing, { in: 'a---|', out: 'a---|' })).rejects.toThrow('in a timer');
  });

  it('a subject that never comes to rest', async () => {
    const spinning: MarbleSubject = (source) => {
      const spin = (): void => {
        setImmediate(spin);
      };
      setTimeout(spin, 0);
      return source;
    };
    expect(() => marblesSync(spinning, { in: '5ms a', out: '5ms a' })).toThrow(/does not come to rest: 200000 timers fired by 0 ms/);
  });
});

describe('a drawing that is right passes', () => {
  it('lanes as text, with spaces and durations', () => marbles(same, 'in    -a 9ms b - |\n\nout   -a 9ms b - |'));
  it('a hot source, of which the past is lost', () => marbles(same, { in: 'a-^-b-|', out: '--b-|' }));
  it('a subscription that comes late', () => marbles(same, { in: '-a|', sub: '---^', out: '----a|' }));
  it('a lane that is ignored', () =>
    marbles(
      filterOut(() => true),
      { in: 'a|' },
      { ignore: ['filtered', 'out'] },
    ));
  it('items that are rightly in flight', () => marbles(drop, { in: 'a-', out: '-' }, { inFlight: 'a' }));
  it('values that are objects', () => marbles(same, { in: 'a|', out: 'b|' }, { values: { a: { x: [1] }, b: { x: [1] } } }));
  it('an Observable that needs no source', () => marbles(timer(2).pipe(map(() => 'a')), { out: '--(a|)' }));
  it('promises between two moments, a hundred deep', () =>
    marbles(
      callEach(async () => {
        for (let at = 0; at < 100; at += 1) await Promise.resolve();
      }),
      { in: 'a|', out: 'a|' },
    ));
  it('a timer behind a promise behind a timer', () =>
    marbles(
      callEach(async () => {
        await new Promise((resolve) => setTimeout(resolve, 2));
        await Promise.resolve();
        await new Promise((resolve) => setTimeout(resolve, 3));
      }),
      { in: 'a-----|', out: '-----a|' },
    ));
  it('dates and performance.now follow the drawing', async () => {
    const seen: unknown[] = [];
    const look: MonoTypeOperatorFunction<Delivery<string>> = tap(() =>
      seen.push(Date.now(), new Date().toISOString(), performance.now(), asapScheduler.now(), new Date(5).getTime()),
    );
    await marbles(look, { in: '---a|', out: '---a|' }, { startAt: 1000 });
    expect(seen).toEqual([1003, '1970-01-01T00:00:01.003Z', 3, 1003, 5]);
  });
  it('setImmediate, cleared timers, refreshed timers, timers by number', async () => {
    const fired: string[] = [];
    await marbles(
      (source) => {
        setImmediate((name: string) => fired.push(`${name} ${Date.now()}`), 'immediate');
        clearTimeout(setTimeout(() => fired.push('cleared'), 1));
        clearTimeout(Number(setTimeout(() => fired.push('cleared by number'), 1)));
        const refreshed = setTimeout(() => fired.push(`refreshed ${Date.now()}`), 3);
        setTimeout(() => refreshed.refresh(), 2);
        const interval = setInterval(() => {
          fired.push(`interval ${Date.now()}`);
          if (Date.now() === 4) clearInterval(interval);
        }, 2);
        return source;
      },
      { in: '------|', out: '------|' },
    );
    expect(fired).toEqual(['immediate 0', 'interval 2', 'interval 4', 'refreshed 5']);
  });
});

describe('the timers of the process', () => {
  const own = [setTimeout, setInterval, setImmediate, clearTimeout, Date, performance.now];
  const now = () => [setTimeout, setInterval, setImmediate, clearTimeout, Date, performance.now];

  it('are put back whatever happens', async () => {
    await marbles(same, { in: 'a|', out: 'a|' });
    await marbles(same, { in: 'a|', out: 'b|' }).catch(() => undefined);
    await marbles(
      () => {
        throw new Error('not even made');
      },
      { in: 'a' },
    ).catch(() => undefined);
    expect(() =>
      marblesSync(
        (source) => {
          setTimeout(() => {
            throw new Error('in a timer');
          }, 1);
          return source;
        },
        { in: '--a', out: '--a' },
      ),
    ).toThrow('in a timer');
    expect(now()).toEqual(own);
    expect(Math.abs(Date.now() - new Date().getTime())).toBeLessThan(1000);
  });

  it('belong to one run at a time', async () => {
    const runs = Array.from({ length: 20 }, () =>
      marbles(
        callEach(() => new Promise((resolve) => setTimeout(resolve, 2))),
        { in: 'a-|', out: '--(a|)' },
      ),
    );
    await Promise.all(runs);
    expect(now()).toEqual(own);
  });

  it('are not given to a run in the middle of another', async () => {
    const first = marbles(delay(5), { in: 'a|', out: '-----(a|)' }, { input: 'values' });
    await Promise.resolve();
    expect(() => marblesSync(same, { in: 'a|', out: 'a|' })).toThrow(/another run/);
    await first;
  });
});

it('hundreds of drawings take a second', async () => {
  const began = process.cpuUsage();
  for (let run = 0; run < 300; run += 1) {
    await marbles(great, { in: '-a-b-c-|', out: '-A-B-C-|' });
    marblesSync(great, { in: '-a-b-c-|', out: '-A-B-C-|' });
  }
  const { user, system } = process.cpuUsage(began);
  expect((user + system) / 1_000_000).toBeLessThan(2);
});

describe('a plugin is an operator over contexts', () => {
  const planned = (action: Action) => ({ id: 'x', plugin: 'p', action, mode: 'inline', required: false }) as const;
  const passes =
    (answer: (context: Context) => Partial<Passed>): MarbleSubject =>
    (source) =>
      source.pipe(
        map((delivery: Delivery<Context>) => {
          const passed: Passed = {
            context: delivery.value,
            actions: [],
            filtered: undefined,
            verdict: undefined,
            ...answer(delivery.value),
          };
          return delivery.with(passed);
        }),
      );
  const context = { stage: 'result_process' };

  it('its actions are lanes, drawn by what they carry or by the item', () =>
    marbles(
      passes(({ message }) => ({
        actions: [
          planned({ type: 'publish_to_topic', params: { topic: 'alerts', payload: { alert: message } } }),
          planned({ type: 'http_webhook', params: { url: 'https://hooks.example/x', body: message } }),
          planned({ type: 'log', params: { message: 'seen' } }),
          planned({ type: 'metric', params: { name: 'count' } }),
          planned({ type: 'add_header', params: { key: 'x', value: 'y' } }),
          planned({ type: 'send_email', params: { to: ['x@example.com'], subject: 's', body: 'b' } }),
        ],
      })),
      `
      in                                    -a-|
      out                                   -a-|
      publish alerts                        -A--
      webhook POST https://hooks.example/x  -a--
      log                                   -a--
      metric count                          -a--
      header                                -a--
      email                                 -a--
      `,
      { context, values: { a: { status: 'failed' }, A: { alert: { status: 'failed' } } } },
    ));

  it('an action that is not drawn, or with another content, fails', async () => {
    const publishing = passes(() => ({ actions: [planned({ type: 'publish_to_topic', params: { topic: 'alerts', payload: 'x' } })] }));
    await expect(marbles(publishing, { in: 'a|', out: 'a|' }, { context })).rejects.toThrow(
      /publish alerts, 0 ms: expected nothing, received a/,
    );
    await expect(marbles(publishing, { in: 'a|', out: 'a|', 'publish alerts': 'A' }, { context, values: { A: 'y' } })).rejects.toThrow(
      /publish alerts, 0 ms: expected A, received/,
    );
  });

  it('what it filtered, retried or dead-lettered leaves by that door', async () => {
    await marbles(
      passes(() => ({ filtered: { plugin: 'p', reason: 'why' } })),
      { in: 'a|', out: '-|', filtered: 'a' },
      { context, reasons: { a: 'why' } },
    );
    await marbles(
      passes(() => ({ verdict: { kind: 'retry', afterMs: 5 } })),
      { in: 'a|', out: 'a|', retried: 'a' },
      { context },
    );
    await marbles(
      passes(() => ({ verdict: { kind: 'dead_letter', reason: 'r' } })),
      { in: 'a|', out: 'a|', dead_lettered: 'a' },
      { context },
    );
  });

  it('its context is filled in, and may be given by item', async () => {
    const seen: unknown[] = [];
    await marbles(
      passes(({ event_id, stage, event_type }) => {
        seen.push([event_id, stage, event_type]);
        return {};
      }),
      { in: 'ab|', out: 'ab|' },
      { context: (message, letter) => ({ stage: 'error', event_type: `${String(message)}${letter}` }) },
    );
    expect(seen).toEqual([
      ['a', 'error', 'aa'],
      ['b', 'error', 'bb'],
    ]);
  });
});

it('an operator of plain values is played as it is', () => marbles(take(1), { in: '-a-b|', out: '-(a|)' }, { input: 'values' }));
it('asap comes between two moments', () =>
  marbles(
    mergeMap((value: string) => of(value, asapScheduler)),
    { in: 'a-b|', out: 'a-b|' },
    { input: 'values' },
  ));
