import { describe, expect, it } from 'vitest';
import { map, type Observable, type OperatorFunction } from 'rxjs';
import { callEach, type Delivery, openDelivery } from '../../operators/index.js';
import { PenstockError } from '../../src/diagnostics/index.js';
import { type TableRow, type TableWriter, tableWriter, type TableWriterOptions } from '../../src/runtime/table-writer.js';
import { marbles } from '../../src/testing/index.js';
import { MemoryTable, type MemoryTableOptions } from '../../test/storage/memory-table.js';

const later = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const transient = () => new PenstockError('PS4108', 'not now', { category: 'transient' });

/** Letters are deliveries of one log, in the order in which they come; upper case is partition 1. What fails is dead-lettered after two milliseconds. */
function fromLog(
  durableAfterMs: (letter: string) => number,
  offsetOf?: (letter: string) => number,
): OperatorFunction<Delivery<string>, Delivery<string>> {
  const next = [0, 0];
  return map((outer) => {
    const letter = outer.value;
    const partition = letter === letter.toLowerCase() ? 0 : 1;
    const offset = offsetOf?.(letter) ?? next[partition]!;
    next[partition] = offset + 1;
    const origin = { topic: 't', partition, offset, key: undefined, headers: {}, timestamp: 0 };
    return openDelivery(letter, origin, {
      settled: ({ outcome, reason }, confirm) => {
        const end = () => {
          outer.settle(outcome, reason);
          confirm(outcome);
        };
        const ms = durableAfterMs(letter);
        if (ms === 0) end();
        else setTimeout(end, ms);
      },
      failed: (error, failed) => {
        outer.fail(error);
        setTimeout(() => failed.settle('dead_lettered'), 2);
      },
    });
  });
}

interface Drawn extends Partial<TableWriterOptions> {
  readonly table?: MemoryTableOptions;
  /** What happens to a letter between source and writer. */
  readonly step?: (letter: string, delivery: Delivery<string>) => void | Promise<void>;
  readonly durableAfterMs?: (letter: string) => number;
  /** Offsets of letters; else they are counted as they come. */
  readonly offsetOf?: (letter: string) => number;
  readonly writes?: string;
  /** Hears of the writer when the drawing starts. */
  readonly started?: (writer: TableWriter) => void;
}

/** Draws a writer with one table `things`; `writes` are the commits it must make, separated by spaces. */
async function draw(
  lanes: Parameters<typeof marbles>[1],
  drawn: Drawn = {},
  options: Parameters<typeof marbles>[2] = {},
): Promise<MemoryTable> {
  const { table: tableOptions, step, durableAfterMs, offsetOf, writes, started, ...rest } = drawn;
  const table = new MemoryTable(tableOptions);
  const subject = (source: Observable<Delivery<string>>) => {
    const writer = tableWriter({
      tables: { things: table },
      appId: (topic, partition) => `${topic}/${String(partition)}`,
      flushMs: 3,
      random: () => 1,
      backoff: { baseMs: 2, capMs: 4 },
      ...rest,
    });
    started?.(writer);
    return source.pipe(
      fromLog(durableAfterMs ?? (() => 0), offsetOf),
      writer.track(),
      callEach(async (letter: string, delivery: Delivery<string>) => step?.(letter, delivery), { order: 'none', concurrency: 100 }),
      map((delivery) => delivery.with<TableRow>({ table: 'things', row: { id: delivery.value } })),
      writer.write(),
      map((delivery) => delivery.with(delivery.value.row['id'])),
    );
  };
  await marbles(subject as never, lanes, { ignore: ['delivered'], ...options });
  if (writes !== undefined) expect(table.commits.map(({ rows }) => rows.map(({ id }) => String(id)).join('')).join(' ')).toBe(writes);
  return table;
}

describe('tableWriter', () => {
  it('writes rows together, when the first has waited long enough', () =>
    draw('in   a-b---c-----|\nout  ---(ab)--c--|', { writes: 'ab c' }));
  it('B8: writes what is left when the source completes', () => draw({ in: 'ab|', out: '--(ab|)' }, { writes: 'ab' }));
  it('writes at once when there are rows enough', () => draw({ in: 'ab--cd---', out: '-(ab)(cd)' }, { maxRows: 2, writes: 'ab cd' }));
  it('B11: writes at once when there are bytes enough', () => draw({ in: 'a-b------', out: '--(ab)' }, { maxBytes: 2, writes: 'ab' }));
  it('completes when nothing comes', () => draw({ in: '-|', out: '-|' }, { writes: '' }));
  it('waits with a source that never ends', () => draw({ in: 'a----', out: '---a' }));
  it('hands an error of the source on, and releases what it holds', () => draw({ in: 'a#', out: '-#', released: '-a' }, { writes: '' }));
  it('releases what it holds at an early unsubscribe', () => draw({ in: 'a----|', sub: '^-!', released: '--a' }, { writes: '' }));

  it('A9, B5, B7: one commit at a time; what comes meanwhile goes into the next', () =>
    draw({ in: 'a---b---------|', out: '-------a---b--|' }, { table: { before: () => later(4) }, flushMs: 3, writes: 'a b' }));

  it('L6: a slow row holds back those behind it', () =>
    draw({ in: 'abc---------|', out: '-------(abc)|' }, { step: (letter) => (letter === 'a' ? later(5) : undefined), writes: 'abc' }));

  it('A4: a delivery whose door is not durable yet holds back those behind it, and those before it are written', () =>
    draw(
      { in: 'abc----------|', out: '---a--c------|', retried: '------b' },
      {
        step: (letter, delivery) => {
          if (letter === 'b') delivery.settle('retried', 'later');
        },
        durableAfterMs: (letter) => (letter === 'b' ? 5 : 0),
        writes: 'a c',
      },
    ));

  it('partitions do not wait for each other', () =>
    draw({ in: 'aA-----|', out: '----A--(a|)' }, { step: (letter) => (letter === 'a' ? later(6) : undefined), writes: 'A a' }));

  it('A13: a failure that passes keeps the rows, and tries again after a growing wait', async () => {
    const waits: number[] = [];
    const table = await draw(
      { in: 'a-------------|', out: '-------------a|' },
      {
        table: {
          before: (_, number) => {
            waits.push(Date.now());
            if (number < 3) throw transient();
          },
        },
        writes: 'a',
      },
    );
    expect(waits).toEqual([3, 5, 9, 13]);
    expect(table.progress.get('t/0')).toBe(1);
  });

  it('a commit whose answer got lost is not made again', () =>
    draw(
      { in: 'ab---------|', out: '-----(ab)--|' },
      {
        table: {
          after: (_, number) => {
            if (number === 0) throw transient();
          },
        },
        writes: 'ab',
      },
    ));

  it('A25: a row that the table refuses fails alone', () =>
    draw({ in: 'abc-----|', out: '---a--c-|', failed: '-b' }, { writes: 'a c' }, { values: { b: 'unfit' } }));

  it('A25: a row for which the commit fails for good is found by halving, and fails alone', async () => {
    const table = await draw(
      { in: '(abcdefgh)-----|' },
      {
        table: {
          before: ({ rows }) => {
            if (rows.some(({ id }) => id === 'f')) throw new PenstockError('PS4108', 'no', { category: 'permanent' });
          },
        },
      },
      { ignore: ['delivered', 'out', 'failed', 'dead_lettered'] },
    );
    expect(table.written.map(({ id }) => id).join('')).toBe('abcdegh');
    expect(table.progress.get('t/0')).toBe(8);
  });

  it('writes in source order, whatever the order of arrival', () =>
    draw(
      { in: '(abc)-------|', out: '-------(abc)|' },
      { flushMs: 6, step: (letter) => later({ a: 3, b: 2, c: 1 }[letter] ?? 0), writes: 'abc' },
    ));

  it('a released delivery holds back those behind it until it comes again', async () => {
    const first = { value: true };
    const table = await draw(
      { in: 'ab-------a----|', out: '----------(ab)|', released: 'a' },
      {
        offsetOf: (letter) => letter.charCodeAt(0) - 97,
        step: (letter, delivery) => {
          if (letter !== 'a' || !first.value) return;
          first.value = false;
          delivery.settle('released', 'not now');
        },
      },
    );
    expect(table.commits.map(({ rows, txns }) => [rows.map(({ id }) => id).join(''), txns[0]!.version])).toEqual([['ab', 2]]);
  });

  it('L8: those behind a released delivery are released when the source completes, and those before it are written', () =>
    draw(
      { in: 'abc----|', out: '---a---|', released: '-b-----c' },
      {
        step: (letter, delivery) => {
          if (letter === 'b') delivery.settle('released', 'not now');
        },
        writes: 'a',
      },
      { reasons: { c: 'what stands before it was released' } },
    ));

  it('L8: a drain writes at once, and does not wait for what was released', () =>
    draw(
      { in: 'abc-------', out: '----a', released: '-b--c' },
      {
        flushMs: 100,
        step: (letter, delivery) => {
          if (letter === 'b') delivery.settle('released', 'not now');
        },
        started: (writer) => setTimeout(() => writer.drain(), 4),
        writes: 'a',
      },
    ));

  it('L5: a partition that is lost lets its rows go, and what it waited for does not hold it up when it comes back', async () => {
    const released = new Set(['a']);
    const table = await draw(
      { in: 'abA---c-----|', out: '----A----c--|', released: 'a---b' },
      {
        offsetOf: (letter) => letter.toLowerCase().charCodeAt(0) - 97,
        step: (letter, delivery) => {
          if (released.has(letter)) delivery.settle('released', 'not now');
        },
        started: (writer) => setTimeout(() => writer.lost('t', 0), 4),
      },
    );
    expect(table.commits.map(({ rows, txns }) => [rows.map(({ id }) => id).join(''), txns[0]!.appId, txns[0]!.version])).toEqual([
      ['A', 't/1', 1],
      ['c', 't/0', 3],
    ]);
  });

  it('says for whom rows wait, and why a commit fails', async () => {
    let writer: TableWriter | undefined;
    const states: unknown[] = [];
    await draw(
      { in: 'ab-----------|', out: '---------(ab)|' },
      {
        step: (letter) => (letter === 'a' ? later(5) : undefined),
        table: {
          before: (_, number) => {
            if (number === 0) throw transient();
          },
        },
        started: (made) => {
          writer = made;
          for (const at of [3, 8]) setTimeout(() => states.push(writer!.state()), at);
        },
      },
    );
    expect(states).toEqual([
      { rows: 1, bytes: 1, fault: undefined, waitingFor: [{ topic: 't', partition: 0, offset: 0, released: false }] },
      { rows: 2, bytes: 2, fault: { error: expect.objectContaining({ message: 'not now' }) as unknown, attempts: 1 }, waitingFor: [] },
    ]);
    expect(writer!.state()).toEqual({ rows: 0, bytes: 0, fault: undefined, waitingFor: [] });
  });

  it('names a table that nobody knows', () => {
    const table = new MemoryTable();
    const writer = tableWriter({ tables: { things: table }, appId: () => 'x' });
    return marbles(
      ((source: Observable<Delivery<string>>) =>
        source.pipe(
          map((delivery) => delivery.with<TableRow>({ table: 'toString', row: {} })),
          writer.write(),
        )) as never,
      { in: 'a|', out: '-|', failed: 'a' },
      { ignore: ['failed', 'released'] },
    );
  });
});

describe('tableWriter without a log', () => {
  it('writes rows of a bare pipe, and records no progress', async () => {
    const table = new MemoryTable();
    const writer = tableWriter({ tables: { things: table }, appId: () => 'x', flushMs: 2 });
    await marbles(
      ((source: Observable<Delivery<string>>) =>
        source.pipe(
          writer.track(),
          map((delivery) => delivery.with<TableRow>({ table: 'things', row: { id: delivery.value } })),
          writer.write(),
          map((delivery) => delivery.with(delivery.value.row['id'])),
        )) as never,
      { in: 'ab---c|', out: '--(ab)(c|)' },
      { ignore: ['delivered'] },
    );
    expect(table.commits.map(({ rows, txns }) => [rows.map(({ id }) => id).join(''), txns.length])).toEqual([
      ['ab', 0],
      ['c', 0],
    ]);
  });
});
