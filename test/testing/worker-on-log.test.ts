import { tap } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { callEach, type Delivery } from '../../operators/index.js';
import { type Failure, worker } from '../../src/runtime/worker.js';
import {
  marbles,
  marblesSync,
  type MarblesOptions,
  playMarbles,
  type WorkerHost,
  workerOnLog,
  type WorkerOnLogOptions,
} from '../../src/testing/index.js';
import type { LogRecord } from '../../src/transport/transport.js';

const textOf = ({ value }: LogRecord): string => String(JSON.parse(String(value)));
const ms: Readonly<Record<string, number>> = { a: 5, b: 2, c: 3 };

/** Each letter takes its time; `f` is retried, `x` filtered, `g` dead-lettered, `r` given back; copies go to `out`. */
const start = ({ source, signal, sink }: WorkerHost) =>
  worker<LogRecord>({
    name: 'w',
    source,
    signal,
    steps: (deliveries$) =>
      deliveries$.pipe(
        callEach<LogRecord>(
          (record, delivery) =>
            new Promise<void>((resolve, reject) => {
              const letter = textOf(record);
              setTimeout(() => {
                if (letter === 'x') delivery.settle('filtered', 'unwanted');
                if (letter === 'r') delivery.settle('released', 'not now');
                if (letter === 'o') sink({ topic: 'copies', key: record.key, value: record.value }, delivery);
                if (letter === 'f' || letter === 'g') reject(new Error(letter));
                else resolve();
              }, ms[letter] ?? 1);
            }),
          { order: 'none', concurrency: 10 },
        ),
      ),
    failures: (failures$) =>
      failures$.pipe(
        tap((delivery: Delivery<Failure>) => {
          const { error } = delivery.value;
          delivery.settle(String(error) === 'Error: f' ? 'retried' : 'dead_lettered', String(error));
        }),
      ),
  });

const subject = (options?: WorkerOnLogOptions) => workerOnLog(start, options);
const problems = async (drawn: Readonly<Record<string, string>>, options?: WorkerOnLogOptions, more?: MarblesOptions) =>
  (await playMarbles(subject(options), drawn, more)).problems.map(({ text }) => text);

describe('a whole worker on a log', () => {
  it('leaves by its doors, and commits what is contiguous', () =>
    marbles(
      subject(),
      `
      in             (abc)------|
      taken          (abc)------
      delivered      --bc-a-----
      commit         -----c-----
      `,
    ));

  it('doors other than delivered count as left, released does not', () =>
    marbles(
      subject(),
      {
        in: '(xrfgb)-----',
        sub: '^---------!',
        filtered: '-x',
        released: '-r',
        retried: '-f',
        dead_lettered: '-g',
        delivered: '--b',
        commit: '-x',
      },
      { reasons: { x: 'unwanted', f: 'Error: f' } },
    ));

  it('what is released is handed out again after a second, until the worker is stopped', () =>
    marbles(subject({ log: { releaseMs: 4 } }), {
      in: 'r-----------',
      sub: '^---------!',
      taken: 'r----r----r',
      released: '-r----r---',
    }).then(
      () => expect.unreachable(),
      (error: unknown) => expect((error as Error).message).toMatch(/^taken, 10 ms/),
    ));

  it('shows what was written to the log', () => marbles(subject(), { in: 'o--|', delivered: '-o', 'publish copies': '-o', commit: '-o' }));

  it('writes that are not drawn are a problem, what is committed is not', async () => {
    expect(await problems({ in: 'o--|', delivered: '-o' })).toEqual(['publish copies, 1 ms: expected nothing, received o']);
    expect(await problems({ in: 'o--|', delivered: '-o', 'publish copies': '-o', commit: '--o' })).toEqual([
      'commit, 1 ms: expected nothing, received o',
    ]);
    expect(await problems({ in: 'x--|' })).toEqual(['filtered, 1 ms: expected nothing, received x (unwanted)']);
  });

  it('hands out against credits', () =>
    marbles(subject({ credits: { count: 1, bytes: 1000 } }), { in: '(bc)--------', taken: 'b-c', delivered: '--b--c' }));

  it('partitions go by key, or as the record says', () =>
    marbles(
      subject({
        partitions: 2,
        record: (value, letter) => ({ key: letter, value: JSON.stringify(value), partition: letter === 'a' ? 0 : 1 }),
      }),
      {
        in: '(abc)------|',
        delivered: '--bc-a',
        commit: '--bc-a',
      },
    ));

  it('drain: takes nothing more, finishes what is in flight, and completes', () =>
    marbles(subject(), { in: 'a-b---c---', drain: '---!', delivered: '----ba' }, { inFlight: 'c' }));

  it('sub: what is in flight is given back when it is stopped', () =>
    marbles(subject(), { in: 'a--------|', sub: '^--!', released: '---a' }));

  it('names what never left', async () => {
    const hanging = workerOnLog(({ source }) => source.pipe(callEach(() => new Promise(() => undefined))));
    const { problems: found } = await playMarbles(hanging, { in: '-a-' });
    expect(found).toMatchObject([{ lane: 'in', at: 1, frame: 1 }]);
  });

  it('names what came again and never left', async () => {
    let given = false;
    const once = workerOnLog(
      ({ source }) =>
        source.pipe(
          callEach(
            (_, delivery) =>
              new Promise(() => {
                if (!given) setTimeout(() => delivery.settle('released', 'not now'), 1);
                given = true;
              }),
          ),
        ),
      { log: { releaseMs: 3 } },
    );
    const { problems: found } = await playMarbles(once, { in: 'a---', released: '-a' });
    expect(found).toMatchObject([{ lane: 'in', text: expect.stringMatching(/^a entered at 4 ms and never left/) }]);
  });

  it('cannot be played at once, and nothing else drains', async () => {
    expect(() => marblesSync(subject(), { in: 'a|' })).toThrow(/a whole worker works by promises/);
    await expect(marbles((source) => source, { in: 'a|', drain: '-!' })).rejects.toThrow(/only a whole worker drains/);
    await expect(marbles(subject(), { in: 'a|', drain: '-a' })).rejects.toThrow(/one "!" is all it may have/);
    await expect(marbles(subject(), { in: 'a#' })).rejects.toThrow(/a log does not end by an error/);
  });
});
