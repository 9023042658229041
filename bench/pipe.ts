/*
 * `penstock pipe` with five plugins, against a bare Node loop that parses and does the same five steps: whole processes, taking turns, reading one
 * file and writing another. What both write must be the same.
 *
 *   npm run build && npx vite build --ssr bench/pipe.ts --outDir bench/.out && node bench/.out/pipe.js [events] [rounds]
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';

const EVENTS = Number(process.argv[2] ?? 200_000);
const ROUNDS = Number(process.argv[3] ?? 5);
const EVENT_BYTES = 2048;
const AIM = 1.15;
const folder = mkdtempSync(join(tmpdir(), 'penstock-pipe-'));
const input = join(folder, 'in.ndjson');

const SUBTYPES = [
  'documentsReceived',
  'estimateCreated',
  'statusChanged',
  'photosReceived',
  'noteAdded',
  'claimClosed',
  'assigned',
  'reviewed',
  'scheduled',
  'reopened',
];
const TYPES = ['PDF', 'JPG', 'PNG', 'JPG', 'ESX', 'JPG', 'PDF', 'CSV', 'DOCX', 'PDF', 'JPG', 'PDF'];

/** One result of about two kilobytes; a signed link and the free text fill it, as in life. */
function event(index: number): string {
  const failed = index % 50 === 7;
  const message = {
    trace_id: `trace-${index.toString().padStart(9, '0')}`,
    media_id: `media-${(index * 7919).toString(36).padStart(12, '0')}`,
    attachment_url: `https://files.example.com/${index}/attachment.bin?X-Amz-Date=20260105T080000Z&X-Amz-Expires=604800&X-Amz-Signature=${'0123456789abcdef'.repeat(16)}`,
    blob_path: `documentsReceived/A-${index % 1000}/trace-${index}/attachment.bin`,
    status_subtype: SUBTYPES[index % SUBTYPES.length],
    file_type: TYPES[index % TYPES.length],
    assignment_id: `A-${index % 1000}`,
    status: failed ? 'failed_permanent' : 'completed',
    http_status: failed ? 404 : 200,
    bytes_downloaded: (index * 104_729) % 5_000_000,
    retry_count: failed ? index % 7 : 0,
    error_message: failed ? 'not found' : null,
    created_at: '2026-01-05T08:00:00.000Z',
    metadata: {
      source: 'bench',
      room: index % 9,
      tags: ['a', 'b', 'c'],
      measures: Array.from({ length: 24 }, (_, at) => (index * (at + 1)) % 997),
    },
    note: '',
  };
  const bare = JSON.stringify(message).length;
  return JSON.stringify({
    ...message,
    note: 'The roof was inspected and photographs were taken. '.repeat(60).slice(0, Math.max(0, EVENT_BYTES - bare)),
  });
}

function writeInput(): void {
  const file = openSync(input, 'w');
  let text = '';
  for (let index = 0; index < EVENTS; index += 1) {
    text += `${event(index)}\n`;
    if (text.length > 1 << 22) {
      writeSync(file, text);
      text = '';
    }
  }
  writeSync(file, text);
  closeSync(file);
}

interface Run {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly digest: string;
  readonly counts: string;
}

/** Runs a program between the input and files of its own; the time is that of the whole process. */
function run(name: string, args: readonly string[], actions: string): Run {
  const output = join(folder, `${name}.out`);
  const files = [openSync(input, 'r'), openSync(output, 'w')] as const;
  const started = performance.now();
  const ended = spawnSync('/usr/bin/env', ['bash', '-c', `TIMEFORMAT='%U %S'; time "$@"`, 'bash', process.execPath, ...args], {
    stdio: [files[0], files[1], 'pipe'],
    encoding: 'utf8',
  });
  const seconds = (performance.now() - started) / 1000;
  for (const file of files) closeSync(file);
  const lines = ended.stderr.trim().split('\n');
  if (ended.status !== 0) throw new Error(`${name} failed:\n${ended.stderr}`);
  const cpuSeconds = lines
    .at(-1)!
    .split(' ')
    .reduce((sum, part) => sum + Number(part), 0);
  const digest = createHash('sha256').update(readFileSync(output)).update('\0').update(readFileSync(actions)).digest('hex');
  return { seconds, cpuSeconds, digest, counts: lines.at(-2)! };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

try {
  writeInput();
  const ours: Run[] = [];
  const bare: Run[] = [];
  const actions = { ours: join(folder, 'ours.actions'), bare: join(folder, 'bare.actions') };
  const pipe = [
    'bin/penstock.js',
    'pipe',
    '--domain',
    'xact',
    '--stage',
    'result_process',
    '--config',
    'bench/pipe-plugins.yaml',
    '--quiet',
    '--actions',
    actions.ours,
  ];
  for (let round = 0; round < ROUNDS; round += 1) {
    const turns = [
      () => bare.push(run('bare', ['bench/pipe-bare.mjs', actions.bare], actions.bare)),
      () => ours.push(run('ours', pipe, actions.ours)),
    ];
    for (const turn of round % 2 === 0 ? turns : turns.reverse()) turn();
  }
  for (const [name, runs] of Object.entries({ 'penstock pipe': ours, 'bare loop': bare })) {
    console.log(
      `${name.padEnd(14)} ${median(runs.map(({ seconds }) => seconds)).toFixed(2)} s elapsed, ${median(runs.map(({ cpuSeconds }) => cpuSeconds)).toFixed(2)} s of processor  ${runs[0]!.counts}`,
    );
  }
  const same = new Set([...ours, ...bare].map(({ digest, counts }) => digest + counts)).size === 1;
  const elapsed = median(ours.map(({ seconds }) => seconds)) / median(bare.map(({ seconds }) => seconds));
  const cpu = median(ours.map(({ cpuSeconds }) => cpuSeconds)) / median(bare.map(({ cpuSeconds }) => cpuSeconds));
  console.log(`ratio          ${elapsed.toFixed(2)} of elapsed time, ${cpu.toFixed(2)} of processor time (aim ${AIM})`);
  console.log(
    `outputs        ${same ? 'the same' : 'DIFFERENT'}   ${EVENTS} events, ${ROUNDS} rounds, Node ${process.version}, ${cpus().length} × ${cpus()[0]!.model}`,
  );
  if (!same) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
