/*
 * A whole worker stage (records in, JSON, schema, lanes, plugins, row out) with 0, 1, 5 and 10 plugins, taking turns in one process: processor time a
 * message, medians, and ratios to the worker without plugins formed within each round. Every message must leave as delivered.
 *
 *   npm run build && node --expose-gc bench/worker.mjs [messages] [rounds]
 */
import { cpus } from 'node:os';
import { from, lastValueFrom, reduce } from 'rxjs';
import { deliveries } from '../dist/operators/index.js';
import { xactResultProcessor } from '../dist/src/domains/xact/workers/xact-result-processor.js';
import { chain, defineOpenPlugin, performActions } from '../dist/src/plugin/index.js';
import { eachRow } from '../dist/src/runtime/table-rows.js';

const MESSAGES = Number(process.argv[2] ?? 40_000);
const ROUNDS = Number(process.argv[3] ?? 7);

const records = Array.from({ length: MESSAGES }, (_, index) => ({
  topic: 'xact.downloads.results',
  partition: 0,
  offset: index,
  key: Buffer.from(`t${index}`),
  headers: [],
  timestamp: 0,
  value: Buffer.from(
    JSON.stringify({
      trace_id: `t${index}`,
      media_id: `m${index}`,
      attachment_url: `https://files.example.com/${'a'.repeat(600)}.pdf`,
      blob_path: `documentsReceived/A1/t${index}/report.pdf`,
      status_subtype: 'documentsReceived',
      file_type: 'PDF',
      assignment_id: 'A1',
      status: 'completed',
      http_status: 200,
      bytes_downloaded: index,
      retry_count: 0,
      created_at: '2026-01-05T08:00:00Z',
    }),
  ),
}));

let looked = 0;
const plugins = Array.from({ length: 10 }, (_, index) =>
  defineOpenPlugin({
    name: `look_${index}`,
    version: '1.0.0',
    summary: 'Looks at one field.',
    reads: {},
    create: () => (context) => {
      if (context.message.bytes_downloaded % 10 === index) looked += 1;
    },
  })(),
);

async function round(count) {
  const perform = performActions({});
  const chains = count === 0 ? {} : { result_process: chain(...plugins.slice(0, count)) };
  globalThis.gc?.();
  const before = process.cpuUsage();
  const settled$ = xactResultProcessor({
    source: from(records).pipe(deliveries()),
    chains,
    perform,
    sink: () => undefined,
    rows: eachRow(() => undefined),
  });
  const delivered = await lastValueFrom(settled$.pipe(reduce((sum, { outcome }) => sum + (outcome === 'delivered' ? 1 : 0), 0)));
  const { user, system } = process.cpuUsage(before);
  if (delivered !== MESSAGES) throw new Error(`${delivered} of ${MESSAGES} were delivered`);
  return (user + system) / MESSAGES;
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const COUNTS = [0, 1, 5, 10];
const times = new Map(COUNTS.map((count) => [count, []]));
for (const count of COUNTS) await round(count);
for (let turn = 0; turn < ROUNDS; turn += 1) {
  for (let step = 0; step < COUNTS.length; step += 1) {
    const count = COUNTS[(turn + step) % COUNTS.length];
    times.get(count).push(await round(count));
  }
}
console.log(
  `${cpus().length} × ${cpus()[0].model}, Node ${process.version}, ${MESSAGES} messages of ${records[0].value.length} bytes, ${ROUNDS} rounds`,
);
console.log('plugins | µs a message (min-max) | to none');
for (const count of COUNTS) {
  const own = times.get(count);
  const ratios = own.map((time, turn) => time / times.get(0)[turn]);
  console.log(
    `${count} | ${median(own).toFixed(2)} (${Math.min(...own).toFixed(2)}-${Math.max(...own).toFixed(2)}) | ${median(ratios).toFixed(3)}`,
  );
}
