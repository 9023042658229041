/*
 * A backlog of XACT events on a real Apache Kafka, worked off by whole processes, one worker each: how long it takes and how much memory.
 *
 *   npm run build && npx vite build --ssr bench/kafka/backlog.ts --outDir bench/.out && node bench/.out/backlog.js [events]
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Broker } from '../../test/broker/broker.js';

const EVENTS = Number(process.argv[2] ?? 100_000);
/** A backlog takes less than this, whatever the worker, in seconds. */
const AIM_SECONDS = 60;
const AIM_MB = 250;
const bin = resolve('bin/penstock.js');
const folder = mkdtempSync(join(tmpdir(), 'penstock-backlog-'));
const at = (name: string) => join(folder, name);

interface Ended {
  readonly out: string;
  readonly seconds: number;
  /** The most that was resident, and of it what belongs to no file, in megabytes. */
  readonly residentMb: number;
  readonly anonymousMb: number;
}

/** Runs a command to its end and watches its memory. */
async function command(...words: readonly string[]): Promise<Ended> {
  const began = performance.now();
  const child = spawn(process.execPath, [bin, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let problem = '';
  let resident = 0;
  let anonymous = 0;
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (problem += chunk.toString()));
  const timer = setInterval(() => {
    const status = statusOf(child.pid!);
    resident = Math.max(resident, Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
    anonymous = Math.max(anonymous, Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
  }, 50);
  const code = await new Promise((ended) => child.on('close', ended));
  clearInterval(timer);
  if (code !== 0) throw new Error(`${words.join(' ')} ended with ${String(code)}\n${problem}`);
  return { out, seconds: (performance.now() - began) / 1000, residentMb: resident, anonymousMb: anonymous };
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return ''; // it has ended
  }
}

const broker = await Broker.start();
try {
  writeFileSync(
    at('pipeline.yaml'),
    'domains: [xact]\nhttp: { allowed_hosts: [files.simulator.penstock.example] }\ntables: { flush: 1s }\nlog: { level: error }\n',
  );
  const usual = ['--config', at('pipeline.yaml'), '--transport', 'kafka', '--brokers', broker.brokers.join(','), '-q'];
  await command('simulate', '--events', String(EVENTS), '--no-faults', '--seed', '7', '--out', at('events.ndjson'));
  const ingested = await command('ingest', at('events.ndjson'), '--domain', 'xact', '--data', at('data'), ...usual);
  console.log(`${cpus().length} × ${cpus()[0]!.model}, Node ${process.version}, Kafka ${broker.version}, ${EVENTS} events`);
  console.log('what | seconds, start and end of the process included | events a second | resident MB | anonymous MB');
  const tell = (what: string, { seconds, residentMb, anonymousMb }: Ended) =>
    console.log([what, seconds.toFixed(1), Math.round(EVENTS / seconds), Math.round(residentMb), Math.round(anonymousMb)].join(' | '));
  tell('ingest', ingested);
  for (const worker of ['xact-event-ingester', 'xact-delta-events']) {
    const ended = await command('run', '--worker', worker, '--until-idle', '--no-api', '--data', at('data'), ...usual);
    tell(`${worker} (aims ${AIM_SECONDS} s, ${AIM_MB} MB)`, ended);
    const { entered } = JSON.parse(ended.out.trim().split('\n').at(-1)!) as { readonly entered: number };
    if (entered !== EVENTS) throw new Error(`${worker} took ${entered} of ${EVENTS}`);
  }
} finally {
  await broker.stop();
  rmSync(folder, { recursive: true, force: true });
}
