import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { builtCommand } from '../e2e/support/built.js';
import { jsonLines, run } from '../e2e/support/command.js';
import { temporary } from './temporary.js';

const folder = temporary();
const data = join(folder, 'data');
const at = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const flow = (args: readonly string[], input?: string) =>
  run([...args, '--data', data], { ...(input === undefined ? {} : { input }), cwd: folder });

beforeAll(() => void builtCommand(), 120_000);

describe('the command line', () => {
  it('has help for itself and every command, and takes the global options on both sides of it', async () => {
    const help = await run(['--help']);
    expect(help.code).toBe(0);
    for (const name of ['dev', 'run', 'check', 'ingest', 'dlq', 'topics', 'pipe', 'simulate']) {
      expect(help.stdout).toMatch(new RegExp(`^  ${name}\\b`, 'm'));
      const own = await run([name, '--help']);
      expect([own.code, own.stdout.includes('--data <dir>'), own.stdout.includes('--config <file>')]).toEqual([0, true, true]);
    }
    for (const args of [
      ['--json', '--data', data, 'topics', 'ls'],
      ['topics', 'ls', '--json', '--data', data],
    ])
      expect(await run(args)).toMatchObject({ code: 78, stdout: '', stderr: expect.stringContaining('PS3011 there is no data directory') });
  });

  it('ends with 2 on wrong usage, and says what was meant', async () => {
    expect(await run(['ingst'])).toMatchObject({ code: 2, stderr: expect.stringContaining('did you mean ingest?') });
    expect(await run(['ingest', 'x'])).toMatchObject({ code: 2, stderr: expect.stringContaining("'--domain <name>' not specified") });
    expect(await run(['ingest', 'x', '--domain', 'nope'])).toMatchObject({ code: 2, stderr: expect.stringContaining('domains are: xact') });
    expect(await flow(['ingest', join(folder, 'missing'), '--domain', 'xact'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('cannot be read'),
    });
    expect(await run(['pipe', '--domain', 'xact', '--stage', 'result_proces'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('did you mean "result_process"?'),
    });
  });

  it('explains its codes', async () => {
    expect((await run(['help', 'errors'])).stdout).toMatch(/^PS3003 {2}the data directory has another version$/m);
    expect((await run(['help', 'ps1203'])).stdout).toMatch(/^PS1203 {2}no plugin has this name/);
    expect((await run(['help', 'nothing'])).code).toBe(2);
  });

  it('ends quietly when nobody reads on', async () => {
    const child = spawn('bash', [
      '-c',
      '"$0" "$1" simulate --events 20000 | head -1; echo "${PIPESTATUS[0]}"',
      process.execPath,
      builtCommand(),
    ]);
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await once(child, 'close');
    expect(text.trimEnd().split('\n').at(-1)).toBe('0');
  });
});

describe('check', () => {
  it('of what ships finds nothing, without any effect', async () => {
    const checked = await run(['check', '--json'], { cwd: folder });
    expect(checked).toMatchObject({ code: 0, stdout: '' });
    expect(existsSync(join(folder, '.penstock'))).toBe(false);
  });

  it('prints a diagnostic a line and ends with 1 on errors, for people as file:line:column', async () => {
    const file = at('bad.yaml', 'plugins:\n  - name: audit_loger\n  - name: audit_logger\n    priorty: 5\n');
    const json = await run(['check', '--json', '--config', file], { cwd: folder });
    expect(json.code).toBe(1);
    expect(jsonLines<Record<string, unknown>>(json).map(({ code, severity, line }) => [code, severity, line])).toEqual([
      ['PS1203', 'error', 2],
      ['PS1103', 'error', 4],
    ]);
    const people = await run(['check', 'bad.yaml'], { cwd: folder });
    expect(people).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('bad.yaml:2:11 error PS1203 no plugin is called "audit_loger"'),
    });
  });
});

describe('ingest, topics and dead letters', () => {
  it('carry lines through the log of a data directory, from process to process', async () => {
    const file = at('in.ndjson', '{"traceId":"a","big":12345678901234567890}\nnope\n[1]\n{"traceId":"b"}\n');
    const ingested = await flow(['ingest', file, '--domain', 'xact', '--json']);
    expect([ingested.code, ingested.stdout]).toEqual([0, '{"read":4,"ingested":2,"dead_lettered":2}\n']);
    expect((await flow(['ingest', '-', '--domain', 'xact', '--json', '-q'], '{"traceId":"c"}')).stdout).toBe(
      '{"read":1,"ingested":1,"dead_lettered":0}\n',
    );

    const cat = await flow(['topics', 'cat', 'xact.events.raw']);
    expect(cat.stdout).toContain('"value":{"traceId":"a","big":12345678901234567890}');
    expect(
      jsonLines<{ key: string }>(cat)
        .map(({ key }) => key)
        .sort(),
    ).toEqual(['a', 'b', 'c']);
    expect(jsonLines(await flow(['topics', 'cat', 'xact.events.raw', '--values']))).toHaveLength(3);
    expect(await flow(['topics', 'cat', 'xact.events.rav'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('did you mean "xact.events.raw"?'),
    });
    const topics = jsonLines<{ topic: string; records: number }>(await flow(['topics', 'ls', '--json']));
    expect(topics.map(({ topic, records }) => [topic, records])).toEqual([
      ['xact.dlq', 2],
      ['xact.events.raw', 3],
    ]);

    const letters = jsonLines<{ position: string; source_line: number }>(await flow(['dlq', 'ls', '--json']));
    expect(letters.map(({ source_line }) => source_line).sort()).toEqual([2, 3]);
    const { position } = letters.find(({ source_line }) => source_line === 2)!;
    expect((await flow(['dlq', 'show', position, '--bytes'])).stdout).toBe('nope');
    expect(jsonLines(await flow(['dlq', 'show', position, '--json']))[0]).toMatchObject({
      position,
      original_text: 'nope',
      source_line: 2,
    });
    expect((await flow(['dlq', 'show', '7:7'])).code).toBe(1);
    expect((await flow(['dlq', 'ls', '--json', '--reason', 'permanent'])).stdout).toBe('');
    expect((await flow(['dlq', 'ls'])).stderr).toBe('2 dead letters\n');
    expect((await flow(['dlq', 'ls', '--limit', '1'])).stderr).toContain('1 dead letter, and there may be more');
  });

  it('a quiet plan of topics is of those that are not as they should be', async () => {
    const plan = await flow(['topics', 'plan']);
    expect(plan.stdout).toMatch(/^ok +xact\.events\.raw /m);
    expect(plan.stdout).toMatch(/^create +xact\.downloads\.pending /m);
    const quiet = await flow(['topics', 'plan', '--quiet']);
    expect(quiet.stdout.split('\n').filter((line) => line.startsWith('ok'))).toEqual([]);
    expect(quiet.stdout).toMatch(/^create +xact\.downloads\.pending /m);
  });

  it('run says on which log it works', async () => {
    const own = join(temporary(), 'data');
    const ended = await run(['run', '--worker', 'xact-delta-events', '--until-idle', '--no-api', '--data', own]);
    expect(ended).toMatchObject({ code: 0, stderr: expect.stringContaining(`penstock run  1 worker, log embedded, in ${own}\n`) });
  });

  it('C14: a dead letter is sent again only with --yes, and only once', async () => {
    const positions = jsonLines<{ position: string }>(await flow(['dlq', 'ls', '--json'])).map(({ position }) => position);
    const replayed = async (...args: string[]) =>
      jsonLines<{ result: string }>(await flow(['dlq', 'replay', ...args, '--json'])).map(({ result }) => result);
    expect(await flow(['dlq', 'replay'])).toMatchObject({ code: 2 });
    expect(await replayed('--all')).toEqual(['would_replay', 'would_replay']);
    expect(jsonLines(await flow(['topics', 'cat', 'xact.events.raw']))).toHaveLength(3);
    expect(await replayed(positions[0]!, '--yes')).toEqual(['replayed']);
    expect((await replayed('--reason', 'unreadable', '--yes')).sort()).toEqual(['already_replayed', 'replayed']);
    expect(await replayed('--all', '--yes')).toEqual(['already_replayed', 'already_replayed']);
    expect(jsonLines(await flow(['topics', 'cat', 'xact.events.raw']))).toHaveLength(5);
    expect(await replayed(positions[0]!, '--yes', '--again')).toEqual(['replayed']);
  });

  it('a Ctrl-C while nothing comes ends with 130, and what was read is kept', async () => {
    const own = join(temporary(), 'data');
    const child = spawn(process.execPath, [builtCommand(), 'ingest', '-', '--domain', 'xact', '--json', '--data', own]);
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stdin.write('{"traceId":"a"}\n{"traceId":"not yet a line');
    while (!existsSync(join(own, 'log'))) await new Promise((resolve) => setTimeout(resolve, 20));
    for (let tries = 0; tries < 50; tries += 1) {
      const topics = jsonLines<{ records: number }>(await run(['topics', 'ls', '--json', '--data', own]));
      if (topics.some(({ records }) => records === 1)) break;
    }
    child.kill('SIGINT');
    const [code] = await once(child, 'close');
    expect([code, out]).toEqual([130, '{"read":1,"ingested":1,"dead_lettered":0}\n']);
  });
});

describe('simulate', () => {
  it('writes the same lines for the same seed', async () => {
    const [one, same, other] = await Promise.all(['7', '7', '8'].map((seed) => run(['simulate', '--events', '50', '--seed', seed, '-q'])));
    expect(one!.stdout.trimEnd().split('\n').length).toBeGreaterThanOrEqual(50);
    expect(same!.stdout).toBe(one!.stdout);
    expect(other!.stdout).not.toBe(one!.stdout);
    const file = join(folder, 'simulated.ndjson');
    await run(['simulate', '--events', '50', '--seed', '7', '--out', file, '-q']);
    expect(readFileSync(file, 'utf8')).toBe(one!.stdout);
  });
});

describe('pipe', () => {
  const plugins = `plugins:
  - name: esx_processor
    config: { topic: esx.topic }
  - name: no_csv
    type: event_filter
    stages: [result_process]
    when: message.file_type == "CSV"
    config: { pattern: ".*" }
`;

  it('filters between files with a plugins file by itself; the counts are the last line of standard error', async () => {
    const config = at('piped.yaml', plugins);
    const line = (id: string, type: string) => `{"trace_id":"${id}", "status":"completed","file_type":"${type}"}\n`;
    const input = `${line('a', 'PDF')}${line('b', 'CSV')}nope\n${line('c', 'ESX')}`;
    const args = ['pipe', '--domain', 'xact', '--stage', 'result_process', '--config', config];
    const ended = await run(args, { input, cwd: folder });
    expect([ended.code, ended.stdout]).toEqual([0, line('a', 'PDF') + line('c', 'ESX')]);
    const told = ended.stderr.trimEnd().split('\n');
    expect(JSON.parse(told.at(-1)!)).toEqual({
      entered: 4,
      left: { delivered: 2, filtered: 1, retried: 0, dead_lettered: 1, released: 0 },
    });
    expect(told.some((text) => text.includes('"dead_letter":{"line":3'))).toBe(true);
    expect(told.some((text) => text.includes('"topic":"esx.topic"'))).toBe(true);
    const actions = join(folder, 'actions.ndjson');
    const apart = await run([...args, '--actions', actions, '-q'], { input, cwd: folder });
    expect(apart.stdout).toBe(ended.stdout);
    expect(JSON.parse(readFileSync(actions, 'utf8'))).toMatchObject({
      line: 4,
      event_id: 'c',
      plugin: 'esx_processor',
      params: { topic: 'esx.topic' },
    });
    expect(existsSync(join(folder, '.penstock'))).toBe(false);
  });

  it('does not start with a configuration that has errors: 78', async () => {
    const config = at('wrong.yaml', 'plugins:\n  - name: nobody\n');
    const ended = await run(['pipe', '--domain', 'xact', '--stage', 'result_process', '--config', config], { input: '{}\n', cwd: folder });
    expect(ended).toMatchObject({ code: 78, stdout: '', stderr: expect.stringContaining('PS1203') });
  });
});
