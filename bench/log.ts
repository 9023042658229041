/*
 * What the embedded log takes: durable appends by batch size, and consume → carry one record → commit. Beside each its peer in the same run: the
 * same bytes appended to a plain file with one fdatasync a batch.
 *
 *   npx vite build --ssr bench/log.ts --outDir node_modules/.penstock-bench && node node_modules/.penstock-bench/log.js
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { cpus } from 'node:os';
import { openEmbedded } from '../src/transport/embedded/index.js';
import type { NewRecord, Transport } from '../src/transport/transport.js';

const RECORD_BYTES = 1024;
const VALUE = Buffer.alloc(RECORD_BYTES, 120);

interface Figure {
  readonly name: string;
  readonly perSecond: number;
  readonly cpuMicroseconds: number;
}

async function measure(name: string, count: number, work: () => Promise<void>): Promise<Figure> {
  const cpu = process.cpuUsage();
  const before = performance.now();
  await work();
  const seconds = (performance.now() - before) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const figure = { name, perSecond: Math.round(count / seconds), cpuMicroseconds: Math.round(((user + system) / count) * 10) / 10 };
  console.log(
    `${figure.name.padEnd(52)} ${String(figure.perSecond).padStart(8)}/s  ${String(figure.cpuMicroseconds).padStart(7)} µs of processor each`,
  );
  return figure;
}

function records(topic: string, from: number, count: number): readonly NewRecord[] {
  return Array.from({ length: count }, (_, index) => ({ topic, key: `key-${from + index}`, value: VALUE }));
}

async function appends(transport: Transport, directory: string): Promise<void> {
  for (const [batch, total] of [
    [1, 500],
    [10, 5_000],
    [100, 50_000],
    [1000, 100_000],
  ] as const) {
    const topic = `append.${batch}`;
    await transport.ensureTopics([{ name: topic, partitions: 4 }]);
    await measure(`append, durable, batches of ${batch}`, total, async () => {
      for (let at = 0; at < total; at += batch) await transport.produce(records(topic, at, batch));
    });
    const file = openSync(join(directory, `plain.${batch}`), 'w');
    const bytes = Buffer.alloc(batch * RECORD_BYTES, 120);
    await measure(`  a plain file with fdatasync, batches of ${batch}`, total, () => {
      for (let at = 0; at < total; at += batch) {
        writeSync(file, bytes);
        fdatasyncSync(file);
      }
      return Promise.resolve();
    });
    closeSync(file);
  }
}

/** One stage: each record is settled with one record on its claim, some time after it was handed out. */
async function stage(transport: Transport, name: string, total: number, credits: number, hold: (go: () => void) => void): Promise<void> {
  const from = `${name}.in`;
  const to = `${name}.out`;
  await transport.ensureTopics([
    { name: from, partitions: 4 },
    { name: to, partitions: 4 },
  ]);
  for (let at = 0; at < total; at += 1000) await transport.produce(records(from, at, 1000));
  await measure(name, total, async () => {
    const consumer = transport.consume({ topics: [from], group: name, credits: { count: credits, bytes: 64_000_000 } });
    let left = total;
    await new Promise<void>((resolve, reject) => {
      consumer.deliveries$.subscribe({
        next: (delivery) => {
          hold(() => {
            delivery.carry({ kind: 'produce', record: { topic: to, key: delivery.origin!.key ?? null, value: delivery.value.value } });
            delivery.whenSettled(() => {
              left -= 1;
              if (left === 0) resolve();
            });
            delivery.settle('delivered');
          });
        },
        error: reject,
      });
    });
    await consumer.drain();
  });
}

const directory = mkdtempSync(join(process.cwd(), '.bench-log-'));
console.log(`node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${RECORD_BYTES} B a record`);
const transport = await openEmbedded({ directory });
try {
  await appends(transport, directory);
  await stage(transport, 'consume, carry one, commit: at once, 1000 credits', 50_000, 1000, (go) => go());
  await stage(transport, 'consume, carry one, commit: next turn, 100 credits', 20_000, 100, (go) => setImmediate(go));
  await stage(transport, 'consume, carry one, commit: one at a time', 500, 1, (go) => go());
  console.log(
    `${Math.round(statSync(join(directory, 'data.mdb')).size / 1e6)} MB on disk, ${Math.round(process.memoryUsage().rss / 1e6)} MB resident`,
  );
} finally {
  await transport.close();
  rmSync(directory, { recursive: true, force: true });
}
