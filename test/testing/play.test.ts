import { delay, type MonoTypeOperatorFunction } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { callEach, type Delivery, filterOut, mapEach } from '../../operators/index.js';
import { drawPlay, LaneError, type MarblePlay, marbles, MarblesError, playMarbles } from '../../src/testing/index.js';

const great = mapEach((value: string) => value.toUpperCase());
const later = (ms: Readonly<Record<string, number>>) =>
  callEach((value: string) => new Promise<void>((resolve) => setTimeout(resolve, ms[value] ?? 0)), { order: 'none', concurrency: 9 });

describe('a play as data', () => {
  it('tells every lane with its marks, values, groups and places', async () => {
    const play = await playMarbles(great, { in: '-(ab)-|', out: ' -(AB)-|' });
    expect(play).toMatchObject({ problems: [], endedAt: 6, length: 7, listening: { from: 0 }, inFlight: [], mocks: [], legend: [] });
    expect(play.lanes).toEqual([
      {
        name: 'in',
        drawn: '-(ab)-|',
        ignored: false,
        expected: [
          { frame: 1, kind: 'next', symbol: 'a', value: 'a', at: 2, group: 0 },
          { frame: 1, kind: 'next', symbol: 'b', value: 'b', at: 3, group: 0 },
          { frame: 6, kind: 'complete', symbol: '|', value: undefined, at: 6 },
        ],
        received: [
          { frame: 1, kind: 'next', symbol: 'a', value: 'a', group: 0 },
          { frame: 1, kind: 'next', symbol: 'b', value: 'b', group: 0 },
          { frame: 6, kind: 'complete', symbol: '|', value: undefined },
        ],
      },
      {
        name: 'out',
        drawn: ' -(AB)-|',
        ignored: false,
        expected: [
          { frame: 1, kind: 'next', symbol: 'A', value: 'A', at: 3, group: 0 },
          { frame: 1, kind: 'next', symbol: 'B', value: 'B', at: 4, group: 0 },
          { frame: 6, kind: 'complete', symbol: '|', value: undefined, at: 7 },
        ],
        received: [
          { frame: 1, kind: 'next', symbol: 'A', value: 'A', group: 0 },
          { frame: 1, kind: 'next', symbol: 'B', value: 'B', group: 0 },
          { frame: 6, kind: 'complete', symbol: '|', value: undefined },
        ],
      },
    ]);
  });

  it('tells of a lane that differs its first difference, where it is drawn, what is missing and what is too much', async () => {
    const { problems } = await playMarbles(great, { in: '-a-b--|', out: ' - - A B - - |' });
    expect(problems).toMatchObject([
      {
        lane: 'out',
        at: 5,
        frame: 1,
        text: 'out, 1 ms: expected nothing, received A',
        missing: [{ symbol: 'A', frame: 2, value: 'A', at: 5 }],
        extra: [{ symbol: 'A', frame: 1, value: 'A' }],
      },
    ]);
  });

  it('tells of a lane that is not drawn without a place, and of the reason that is another', async () => {
    const drop = filterOut(() => true, 'unwanted');
    const { problems } = await playMarbles(drop, { in: 'a|', out: '-|' });
    expect(problems).toEqual([
      {
        lane: 'filtered',
        frame: 0,
        text: 'filtered, 0 ms: expected nothing, received a (unwanted)',
        missing: [],
        extra: [expect.anything()],
      },
    ]);
    const other = await playMarbles(drop, { in: 'a|', out: '-|', filtered: ' a' }, { reasons: { a: 'why' } });
    expect(other.problems).toMatchObject([{ lane: 'filtered', at: 1, frame: 0, text: expect.stringMatching(/unwanted/) }]);
  });

  it('tells who never left, with the place in the lane "in"', async () => {
    const hang: MonoTypeOperatorFunction<Delivery<string>> = callEach(() => new Promise(() => undefined));
    const play = await playMarbles(hang, { in: '--a-' });
    expect(play.problems).toMatchObject([{ lane: 'in', at: 2, frame: 2 }]);
    expect(play.inFlight).toEqual([{ letter: 'a', frame: 2 }]);
  });

  it('is on the error that marbles throws, with its code; a lane that is drawn wrongly has one, its lane and place', async () => {
    const error: unknown = await marbles(great, { in: 'a|', out: 'a|' }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(MarblesError);
    expect(error).toMatchObject({ code: 'PS5002', play: { problems: [{ lane: 'out' }] } });
    const wrong: unknown = await marbles(great, { in: ' a(b' }).catch((thrown: unknown) => thrown);
    expect(wrong).toBeInstanceOf(LaneError);
    expect(wrong).toMatchObject({ code: 'PS5001', lane: 'in', at: 2 });
  });

  it('can be drawn', async () => {
    const play = await playMarbles(great, { in: '-a-|', out: '--A|', filtered: '-' });
    expect(drawPlay(play)).toEqual(['  in            -a-|', '  out expected  --A|', '  out received  -A-|', '  filtered      ----']);
  });
});

const fails = async (play: Promise<MarblePlay>): Promise<readonly string[]> => (await play).problems.map(({ text }) => text);

describe('how exact a drawing is', () => {
  it('tolerance: so far from its drawing something may happen', async () => {
    const lanes = { in: 'a-b-----|', out: '--a-b---|' };
    expect(await fails(playMarbles(later({ a: 3, b: 1 }), lanes, { tolerance: { out: 1 } }))).toEqual([]);
    expect(await fails(playMarbles(later({ a: 3, b: 1 }), lanes, { tolerance: 1 }))).toEqual([]);
    expect(await fails(playMarbles(later({ a: 3, b: 1 }), lanes, { tolerance: { filtered: 1 } }))).toEqual([
      'out, 2 ms: expected a, received nothing',
    ]);
    expect(await fails(playMarbles(later({ a: 4, b: 1 }), lanes, { tolerance: 1 }))).not.toEqual([]);
  });

  it('unordered: letters come in any order, but when they are drawn', async () => {
    const lanes = { in: '(ab)----|', out: '-a-b----|' };
    const subject = later({ a: 3, b: 1 });
    expect(await fails(playMarbles(subject, lanes))).toEqual(['out, 1 ms: expected a, received b']);
    expect(await fails(playMarbles(subject, lanes, { unordered: ['out'] }))).toEqual([]);
    expect(await fails(playMarbles(later({ a: 4, b: 1 }), lanes, { unordered: ['out'] }))).toEqual([
      'out, 3 ms: expected one of its letters, the next came at 4 ms',
    ]);
    expect(await fails(playMarbles(subject, { in: '(ab)----|', out: '-a-c----|' }, { unordered: ['out'] }))).toEqual([
      'out, in any order: expected also c, received also b',
    ]);
    expect(await fails(playMarbles(subject, { in: '(ab)----|', out: '-a-----|' }, { unordered: ['out'] }))).not.toEqual([]);
  });

  it('ignore: by name, or with a star', async () => {
    const drop = filterOut((value: string) => value === 'a');
    expect(await fails(playMarbles(drop, { in: 'ab|', out: '-b|' }, { ignore: ['filt*'] }))).toEqual([]);
    expect(await fails(playMarbles(drop, { in: 'ab|', out: '-b|' }, { ignore: ['filt'] }))).toHaveLength(1);
  });

  it('counts: one more of the same at the same moment is one too many', async () => {
    expect(await fails(playMarbles(delay(0), { in: '(aa)|', out: '(aaa)|' }))).toHaveLength(1);
    expect(
      await fails(
        playMarbles(
          filterOut(() => true),
          { in: '(aa)|', out: '----|', filtered: 'a' },
        ),
      ),
    ).toHaveLength(1);
    expect(
      await fails(
        playMarbles(
          filterOut(() => true),
          { in: '(aa)|', out: '----|', filtered: '(aa)' },
        ),
      ),
    ).toEqual([]);
  });
});
