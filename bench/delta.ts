/*
 * What the table writer takes: events of two kilobytes into `xact_events`, from delivery to commit. Beside it, in the same run, the same rows as lines of
 * JSON appended to a plain file with one fdatasync a flush; and the longest time for which the event loop was held.
 *
 *   npm run build && npx vite build --ssr bench/delta.ts --outDir bench/.out && node bench/.out/delta.js [rows]
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Observable } from 'rxjs';
import { type Delivery, openDelivery } from '../operators/index.js';
import { XACT_EVENTS } from '../src/domains/xact/tables.js';
import type { Row } from '../src/storage/delta/index.js';

// the built package, because only there the encoder has its thread
const built = (path: string) => new URL(`../../dist/src/${path}`, import.meta.url).href;
const { openTable, parquetEncoder } = (await import(built('storage/delta/index.js'))) as typeof import('../src/storage/delta/index.js');
const { tableWriter } = (await import(built('runtime/table-writer.js'))) as typeof import('../src/runtime/table-writer.js');

const ROWS = Number(process.argv[2] ?? 20_000);
const CREDITS = 4000;
const folder = mkdtempSync(join(process.cwd(), 'bench/.out/delta-'));

/** A row as the XACT delta worker makes it: 29 columns and the raw event. */
function event(index: number): Row {
  const row: Record<string, string | null> = {};
  for (const { name, type } of XACT_EVENTS.columns) {
    if (type === 'timestamp') row[name] = '2031-05-06T07:08:09.123456Z';
    else if (type === 'date') row[name] = `2031-05-0${String(1 + (index % 3))}`;
    else row[name] = index % 5 === 0 ? null : `${name} ${String(index % 97)}`;
  }
  const noise = ((index * 2_654_435_761) >>> 0).toString(36);
  return {
    ...row,
    trace_id: `trace-${String(index)}`,
    raw_json: `{"traceId":"trace-${String(index)}","n":"${noise}","d":"${`${noise} claims `.repeat(120)}`,
  };
}

interface Figure {
  readonly name: string;
  readonly perSecond: number;
  readonly cpuMicroseconds: number;
  readonly heldMs: number;
}

async function measure(name: string, work: () => Promise<void>): Promise<Figure> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const cpu = process.cpuUsage();
  const before = performance.now();
  await work();
  const seconds = (performance.now() - before) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  delay.disable();
  const figure = {
    name,
    perSecond: Math.round(ROWS / seconds),
    cpuMicroseconds: Math.round((user + system) / ROWS),
    heldMs: Math.round(delay.max / 1e6),
  };
  const held = `p99 ${String(Math.round(delay.percentile(99) / 1e6))} ms, longest ${String(figure.heldMs)} ms`;
  console.log(
    `${name.padEnd(44)} ${String(figure.perSecond).padStart(7)} rows/s  ${String(figure.cpuMicroseconds).padStart(5)} µs of processor a row  event loop held ${held}`,
  );
  return figure;
}

/** A source of one partition that hands out rows while credits last, like a log would. */
function source(rows: readonly Row[]): Observable<Delivery<{ readonly table: string; readonly row: Row }>> {
  return new Observable((subscriber) => {
    let next = 0;
    let inFlight = 0;
    const hand = () => {
      for (let turn = 0; turn < 200 && next < rows.length && inFlight < CREDITS; turn += 1) {
        const origin = { topic: 'raw', partition: 0, offset: next, key: undefined, headers: {}, timestamp: 0 };
        inFlight += 1;
        const row = rows[next]!;
        next += 1;
        subscriber.next(
          openDelivery({ table: 'xact_events', row }, origin, {
            settled: ({ outcome }, confirm) => {
              inFlight -= 1;
              confirm(outcome);
            },
            failed: (error) => subscriber.error(error),
          }),
        );
      }
      if (next === rows.length) subscriber.complete();
      else setImmediate(hand);
    };
    setImmediate(hand);
  });
}

async function written(name: string, run: 'thread' | 'here', flushMs: number, rows: readonly Row[]): Promise<Figure> {
  const encoder = parquetEncoder({ run });
  const table = await openTable({ directory: join(folder, name.replaceAll(/\W+/g, '-')), schema: XACT_EVENTS, encoder });
  await table.commit({ rows: [{ trace_id: 'warm' }], txns: [] });
  const figure = await measure(name, async () => {
    const writer = tableWriter({ tables: { xact_events: table }, appId: () => 'bench', flushMs, maxRows: 1000 });
    await new Promise<void>((resolve, reject) => {
      source(rows).pipe(writer.track(), writer.write()).subscribe({ complete: resolve, error: reject });
    });
  });
  const count = await table.count();
  if (count !== rows.length + 1) throw new Error(`expected ${String(rows.length + 1)} rows, found ${String(count)}`);
  await table.close();
  await encoder.close();
  return figure;
}

/** How long one commit of a thousand rows holds the event loop at most: the median over commits, because this machine may be shared. */
async function turns(all: readonly Row[]): Promise<void> {
  for (const run of ['thread', 'here'] as const) {
    const encoder = parquetEncoder({ run });
    const table = await openTable({ directory: join(folder, `turns-${run}`), schema: XACT_EVENTS, encoder });
    const longest: number[] = [];
    for (let start = 0; start + 1000 <= all.length; start += 1000) {
      const delay = monitorEventLoopDelay({ resolution: 1 });
      delay.enable();
      await table.commit({ rows: all.slice(start, start + 1000), txns: [] });
      delay.disable();
      longest.push(delay.max / 1e6);
    }
    await table.close();
    await encoder.close();
    longest.sort((a, b) => a - b);
    const at = (part: number) => String(Math.round(longest[Math.floor((longest.length - 1) * part)]!));
    const where = run === 'thread' ? 'in its thread' : 'on the event loop';
    console.log(`a commit of 1000 rows, encoder ${where}: longest turn ${at(0.5)} ms in the median, ${at(0.9)} ms in nine of ten`);
  }
}

console.log(
  `${String(ROWS)} rows of 2 KB, ${String(CREDITS)} in flight, commits of at most 1000; Node ${process.version}, ${String(cpus().length)} × ${cpus()[0]?.model ?? 'unknown'}`,
);
const rows = Array.from({ length: ROWS }, (_, index) => event(index));
await measure('peer: lines of JSON, fdatasync per 1000', async () => {
  const file = openSync(join(folder, 'lines'), 'w');
  for (let start = 0; start < rows.length; start += 1000) {
    const lines = rows.slice(start, start + 1000).map((row) => `${JSON.stringify(row)}\n`);
    writeSync(file, lines.join(''));
    fdatasyncSync(file);
    await new Promise((resolve) => setImmediate(resolve));
  }
  closeSync(file);
});
await written('table writer, encoder in its thread, 250 ms', 'thread', 250, rows);
await written('table writer, encoder in its thread, 1 s', 'thread', 1000, rows);
await written('table writer, encoder on the event loop', 'here', 250, rows);
await turns(rows);
console.log(`resident memory at the end: ${String(Math.round(process.memoryUsage().rss / 1e6))} MB`);
rmSync(folder, { recursive: true, force: true });
