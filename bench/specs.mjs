// How long marble specs take by the command line, start included, next to what starting alone takes: 200 cases in 20 files, and one file of ten cases.
// Needs a built package: npm run build && node bench/specs.mjs [rounds]
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROUNDS = Number(process.argv[2] ?? 7);
const FILES = 20;
const CASES = 10;
const command = fileURLToPath(new URL('../bin/penstock.js', import.meta.url));
const config = fileURLToPath(new URL('../config/pipeline.yaml', import.meta.url));

const folder = mkdtempSync(join(tmpdir(), 'penstock-bench-'));
mkdirSync(join(folder, 'marbles'));
const spec = (file) => {
  const cases = Array.from({ length: CASES }, (_, at) => {
    // Each case is different: some change the configuration, some wait for answers.
    const number = file * CASES + at;
    const patch = at % 2 === 0 ? '' : `\n    with: { plugins: { failure_alerter: { config: { min_retries: ${number % 5} } } } }`;
    const mocks = at % 3 === 0 ? '\n    mocks: { publish *: 2ms ok }' : '';
    const alerts = patch === '' || number % 5 <= 3 ? `\n      publish xact.alerts.failures: '-----f'` : '';
    return `  - name: case ${number}${patch}${mocks}
    in: 'e----f----p 20ms t|'
    ignore: [delivered, metric *, publish xact.alerts.refused]
    expect:
      out: 'e----f----p 20ms -|'
      filtered: '- 30ms t'
      publish xact.esx.processing: 'e'${alerts}
`;
  });
  return `config: ${config}
stage: result_process
messages:
  e: { file_type: ESX }
  p: { file_type: PDF }
  f: { status: failed_permanent, retry_count: 3 }
  t: { $stage: event_ingest, type: test.claims.created }
cases:
${cases.join('')}`;
};
for (let file = 0; file < FILES; file += 1) writeFileSync(join(folder, 'marbles', `rules-${file}.marbles.yaml`), spec(file));

// The time of the clock says how long one waits on this machine, that of the processor how much is done, whoever else is at work.
const TOLD = `data:text/javascript,process.on('exit',()=>process.stderr.write('cpu '+JSON.stringify(process.cpuUsage())))`;
const timed = (args) => {
  const startedAt = process.hrtime.bigint();
  const ended = spawnSync(process.execPath, ['--import', TOLD, command, ...args], { cwd: folder, encoding: 'utf8' });
  const wall = Number(process.hrtime.bigint() - startedAt) / 1e9;
  if (ended.status !== 0) throw new Error(`penstock ${args.join(' ')} ended with ${ended.status}:\n${ended.stdout}\n${ended.stderr}`);
  const { user, system } = JSON.parse(/cpu (.*)/.exec(ended.stderr)[1]);
  return { wall, cpu: (user + system) / 1e6 };
};
const RUNS = {
  'start alone (--version)': ['--version'],
  'one file, 10 cases': ['test', 'marbles/rules-0.marbles.yaml'],
  'twenty files, 200 cases': ['test'],
  'twenty files, 200 cases, with rules': ['test', '--rules', '--threshold', '0'],
};

try {
  const times = Object.fromEntries(Object.keys(RUNS).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round += 1) for (const [name, args] of Object.entries(RUNS)) times[name].push(timed(args));
  for (const [name, all] of Object.entries(times)) {
    const middle = (what) => {
      const sorted = all.map((one) => one[what]).toSorted((a, b) => a - b);
      return `${sorted[Math.floor(sorted.length / 2)].toFixed(2)} s (${sorted[0].toFixed(2)} to ${sorted.at(-1).toFixed(2)})`;
    };
    console.log(`${name.padEnd(36)} clock ${middle('wall')}   processor ${middle('cpu')}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
