/*
 * XACT end to end on the embedded log, as whole processes: simulated events of one attachment each, without faults, their files served by another process.
 *
 *   ingest to rows    `penstock run --worker xact-delta-events --until-idle` over the ingested events
 *   with downloads    `penstock run --until-idle`: tasks, downloads, uploads, results, all tables
 *   bare              beside it: a plain loop that parses the same events, fetches the same files, fifty at once, writes them and appends a line for each
 *   row latency       at half the measured rate: from the append to the raw topic to the durable row, flush 250 ms
 *
 *   npm run build && node bench/e2e.mjs [events]
 */
import { spawn, spawnSync } from 'node:child_process';
import { createReadStream, createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const EVENTS = Number(process.argv[2] ?? 20_000);
const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'bin', 'penstock.js');
const folder = mkdtempSync(join(tmpdir(), 'penstock-e2e-'));
const at = (name) => join(folder, name);
const HOST = 'files.simulator.penstock.example';

function command(...words) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...words], { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`${words.join(' ')} ended with ${status}\n${stderr}`);
  return stdout;
}

/** Runs a command and watches its anonymous memory. */
async function watched(...words) {
  const child = spawn(process.execPath, [bin, ...words], { stdio: ['ignore', 'pipe', 'ignore'] });
  let peak = 0;
  let out = '';
  child.stdout.on('data', (chunk) => (out += chunk));
  const timer = setInterval(() => {
    try {
      peak = Math.max(peak, Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024);
    } catch {
      clearInterval(timer); // it has ended
    }
  }, 100);
  const status = await new Promise((resolve) => child.on('close', resolve));
  clearInterval(timer);
  if (status !== 0) throw new Error(`${words.join(' ')} ended with ${status}`);
  return { report: JSON.parse(out.trim().split('\n').at(-1)), anonymousMb: Math.round(peak) };
}

async function serving() {
  const child = spawn(process.execPath, [bin, 'simulate', '--serve', '--no-faults', '--data', at('server')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const port = await new Promise((resolve) => {
    let text = '';
    child.stderr.on('data', (chunk) => {
      text += chunk;
      const found = /127\.0\.0\.1:(\d+)/.exec(text);
      if (found !== null) resolve(Number(found[1]));
    });
  });
  return { port, stop: () => child.kill('SIGTERM') };
}

async function bare(file, port) {
  const agent = new Agent({ keepAlive: true, maxSockets: 50 });
  mkdirSync(at('bare'));
  const rows = createWriteStream(at('bare/rows.ndjson'));
  const started = performance.now();
  const waiting = new Set();
  let count = 0;
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    const event = JSON.parse(line);
    const data = typeof event.data === 'string' ? JSON.parse(event.data) : event.data;
    for (const url of data.attachments ?? []) {
      const { pathname, search } = new URL(url);
      const name = at(`bare/${(count += 1)}`);
      const one = new Promise((resolve, reject) => {
        get({ host: '127.0.0.1', port, path: pathname + search, headers: { host: HOST }, agent }, (response) => {
          response.pipe(createWriteStream(name)).on('close', resolve).on('error', reject);
        }).on('error', reject);
      });
      waiting.add(one);
      void one.then(() => waiting.delete(one));
      if (waiting.size >= 50) await Promise.race(waiting);
    }
    rows.write(`${JSON.stringify({ trace_id: event.traceId, type: event.type, raw: line })}\n`);
  }
  await Promise.all(waiting);
  await new Promise((resolve) => rows.end(resolve));
  agent.destroy();
  return (performance.now() - started) / 1000;
}

/** Appends at a rate and hears of each row when it is durable. */
async function latencies(lines, perSecond, seconds) {
  const { openEmbedded } = await import('../dist/src/transport/embedded/index.js');
  const { openTable } = await import('../dist/src/storage/delta/index.js');
  const { tableWriter } = await import('../dist/src/runtime/table-writer.js');
  const { xactDeltaEvents } = await import('../dist/src/domains/xact/workers/xact-delta-events.js');
  const { XACT_EVENTS } = await import('../dist/src/domains/xact/tables.js');
  const { carrySink } = await import('../dist/src/runtime/sink.js');
  const { tap } = await import('rxjs');
  const transport = await openEmbedded({ directory: at('latency-log') });
  await transport.ensureTopics([{ name: 'xact.events.raw', partitions: 6 }]);
  const table = await openTable({ directory: at('latency-table'), schema: XACT_EVENTS });
  const rows = tableWriter({ tables: { xact_events: table }, appId: (topic, partition) => `${topic}/${partition}`, flushMs: 250 });
  const consumer = transport.consume({ topics: ['xact.events.raw'], group: 'bench', credits: { count: 5000, bytes: 64 << 20 } });
  const times = [];
  const source = consumer.deliveries$.pipe(
    tap((delivery) => delivery.whenSettled(() => times.push(Date.now() - delivery.origin.timestamp))),
  );
  const done = new Promise((resolve, reject) =>
    xactDeltaEvents({ source, rows, sink: carrySink }).subscribe({ complete: resolve, error: reject }),
  );
  const tick = 50;
  const each = Math.max(1, Math.round((perSecond * tick) / 1000));
  const started = performance.now();
  let sent = 0;
  while (performance.now() - started < seconds * 1000 && sent + each <= lines.length) {
    await transport.produce(
      lines.slice(sent, sent + each).map((value) => ({ topic: 'xact.events.raw', key: JSON.parse(value).traceId, value })),
    );
    sent += each;
    const ahead = (sent / perSecond) * 1000 - (performance.now() - started);
    if (ahead > 0) await new Promise((resolve) => setTimeout(resolve, ahead));
  }
  const rate = sent / ((performance.now() - started) / 1000);
  await consumer.drain();
  await done;
  await table.close();
  await transport.close();
  times.sort((a, b) => a - b);
  return {
    rate: Math.round(rate),
    rows: times.length,
    p50: times[Math.floor(times.length * 0.5)],
    p95: times[Math.floor(times.length * 0.95)],
  };
}

const server = await serving();
try {
  command('simulate', '--events', String(EVENTS), '--attachments', '1', '--no-faults', '--seed', '7', '--out', at('events.ndjson'));
  writeFileSync(
    at('pipeline.yaml'),
    `domains: [xact]\nplugins: { enabled: false }\nhttp:\n  allowed_hosts: [${HOST}]\n  resolve: { ${HOST}: "127.0.0.1:${server.port}" }\ntables: { flush: 250ms }\nlog: { level: error }\n`,
  );
  const usual = ['--config', at('pipeline.yaml'), '--no-api', '-q'];
  command('ingest', at('events.ndjson'), '--domain', 'xact', '--data', at('rows'), '--config', at('pipeline.yaml'), '-q');
  const rows = await watched('run', '--worker', 'xact-delta-events', '--until-idle', '--data', at('rows'), ...usual);
  command('ingest', at('events.ndjson'), '--domain', 'xact', '--data', at('all'), '--config', at('pipeline.yaml'), '-q');
  const all = await watched('run', '--until-idle', '--data', at('all'), ...usual);
  const bareSeconds = await bare(at('events.ndjson'), server.port);
  const rowRate = EVENTS / rows.report.seconds;
  const lines = readFileSync(at('events.ndjson'), 'utf8').trim().split('\n');
  const latency = await latencies(lines, rowRate / 2, 5);
  console.log(`${cpus().length} × ${cpus()[0].model}, Node ${process.version}, ${EVENTS} events of one attachment`);
  console.log(
    `ingest to rows    ${Math.round(rowRate)} events/s (aim 2000), ${rows.report.tables.xact_events} rows, anonymous memory ${rows.anonymousMb} MB (aim 300)`,
  );
  console.log(
    `with downloads    ${Math.round(EVENTS / all.report.seconds)} events/s (aim 800), ${all.report.files} files, anonymous memory ${all.anonymousMb} MB (aim 300)`,
  );
  console.log(
    `bare loop         ${Math.round(EVENTS / bareSeconds)} events/s; ours takes ${(all.report.seconds / bareSeconds).toFixed(1)} times as long`,
  );
  console.log(
    `row latency       at ${latency.rate} events/s: p50 ${latency.p50} ms, p95 ${latency.p95} ms (aim 1000), ${latency.rows} rows`,
  );
} finally {
  server.stop();
  rmSync(folder, { recursive: true, force: true });
}
