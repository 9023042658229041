import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { builtCommand } from '../../e2e/support/built.js';
import { run, start } from '../../e2e/support/command.js';
import { folderWith, RULES } from './folder.js';

beforeAll(() => void builtCommand(), 120_000);

const good = `config: ../rules.yaml
stage: result_process
messages: { e: { file_type: esx }, f: { status: failed_permanent, retry_count: 3 } }
cases:
  - name: an esx goes to its queue
    in: 'e|'
    expect: { out: 'e|', publish esx: 'e' }
  - name: a lasting failure alerts once
    in: 'f|'
    expect: { out: 'f|', publish alerts: 'f' }
`;
const bad = good.replace("publish alerts: 'f'", "publish alerts: '-f'");

const folder = (text = good) =>
  folderWith({ 'rules.yaml': RULES, 'marbles/a.marbles.yaml': text, 'marbles/deep/b.marbles.yaml': good.replace('../', '../../') });
const test = (cwd: string, ...args: readonly string[]) => run(['test', ...args], { cwd });

describe('penstock test', () => {
  it('plays what lies below marbles, and ends with 0 when everything is as drawn', async () => {
    const ended = await test(folder());
    expect(ended.stderr).toBe('');
    expect(ended.stdout.replace(/\d+\.\d\d s/, 'x s')).toBe(
      [
        'penstock test  2 files',
        '',
        ' ✓ marbles/a.marbles.yaml  2 cases',
        ' ✓ marbles/deep/b.marbles.yaml  2 cases',
        '',
        '4 passed  in x s',
        '',
      ].join('\n'),
    );
    expect(ended.code).toBe(0);
  });

  it('shows a failure with its place and its lanes, and ends with 1', async () => {
    const ended = await test(folder(bad), 'marbles/a.marbles.yaml');
    expect(ended.stdout.replace(/\d+\.\d\d s/, 'x s')).toBe(
      [
        'penstock test  1 file',
        '',
        ' ✗ marbles/a.marbles.yaml  2 cases',
        '   ✗ a lasting failure alerts once',
        '     marbles/a.marbles.yaml:10:44  lane "publish alerts"',
        '       in        f|',
        '       expected  -f',
        '       received  f',
        '       - missing  f@1ms',
        '       + extra    f@0ms  failure_alerter',
        '       plugins: esx_processor skip 1 · failure_alerter act 1',
        '',
        '',
        '1 passed, 1 failed  in x s',
        '',
      ].join('\n'),
    );
    expect(ended.code).toBe(1);
  });

  it('tells what is wrong with a file as findings, never as a stack', async () => {
    for (const text of [
      good.replace('publish alerts', 'publsh alerts'),
      good.replace('esx }', 'esx'),
      '- [',
      'cases: [{}, 3, null]',
      '\u0000',
      '',
    ]) {
      const ended = await test(folder(text), 'marbles/a.marbles.yaml');
      expect(ended.stdout).toMatch(/marbles\/a\.marbles\.yaml:\d+:\d+ error PS\d{4} /);
      expect(ended.stdout + ended.stderr).not.toMatch(/\n\s+at /);
      expect(ended.code).toBe(1);
    }
  });

  it('plays the cases that are asked for, and does not end well when there are none', async () => {
    const cwd = folder(bad);
    expect(await test(cwd, '-t', 'goes to its queue')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('2 passed, 2 not asked for'),
    });
    expect(await test(cwd, '-t', 'nothing of the kind')).toMatchObject({ code: 1, stderr: 'no case is called "nothing of the kind"\n' });
    expect(await test(cwd, 'marbles/a.marble.yaml')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('did you mean marbles/a.marbles.yaml?'),
    });
    expect(await run(['test'], { cwd: folderWith({}) })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is no folder marbles here'),
    });
    expect(await run(['test'], { cwd: folderWith({ 'marbles/x.txt': '' }) })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no spec lies in marbles'),
    });
    expect(await test(cwd, '--reporter', 'loud')).toMatchObject({ code: 2, stderr: expect.stringContaining('pretty, json, junit, tap') });
  });

  it('reports as JSON, a line each', async () => {
    const ended = await test(folder(bad), '--reporter', 'json');
    const lines = ended.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toHaveLength(5);
    expect(lines[1]).toMatchObject({
      file: 'marbles/a.marbles.yaml',
      line: 8,
      column: 11,
      name: 'a lasting failure alerts once',
      passed: false,
      problems: [
        { line: 10, column: 44, lane: 'publish alerts', missing: [{ frame: 1, symbol: 'f' }], extra: [{ frame: 0, symbol: 'f' }] },
      ],
    });
    expect(lines[4]).toMatchObject({ passed: 3, failed: 1, left: 0 });
    expect((await test(folder(), '--json')).stdout.split('\n')).toHaveLength(6);
  });

  it('reports as JUnit and as TAP', async () => {
    const broken = good.replace('esx }', '"<&>"');
    const cwd = folderWith({ 'rules.yaml': RULES, 'marbles/a.marbles.yaml': bad, 'marbles/b.marbles.yaml': broken });
    const junit = (await test(cwd, '--reporter', 'junit')).stdout;
    expect(junit).toMatch(/^<\?xml version="1\.0" encoding="UTF-8"\?>\n<testsuites name="penstock" tests="3" failures="2" time="[\d.]+">/);
    expect(junit).toContain(
      '<testcase name="a lasting failure alerts once" classname="marbles/a.marbles.yaml" file="marbles/a.marbles.yaml" line="8"',
    );
    expect(junit).toMatch(/<failure message="[^"]+">marbles\/a\.marbles\.yaml:10:44/);
    expect(junit).toMatch(/<error message="[^"<]+">/);
    expect(junit).not.toContain('"<&>"');
    const tap = (await test(cwd, '--reporter', 'tap')).stdout.split('\n');
    expect(tap.slice(0, 3)).toEqual([
      'TAP version 14',
      'ok 1 - marbles/a.marbles.yaml: an esx goes to its queue',
      'not ok 2 - marbles/a.marbles.yaml: a lasting failure alerts once',
    ]);
    expect(tap.slice(3, 5)).toEqual(['  ---', '  at: "marbles/a.marbles.yaml:10:44"']);
    expect(tap.at(-2)).toBe('1..3');
  });

  it('tells which rules no case makes happen, and ends with 1 under the threshold', async () => {
    const cwd = folder();
    const ended = await test(cwd, '--rules');
    expect(ended.stdout).toContain('\nrules  3 plugins, 2 of 3 seen  66.6 %\n\n  rules.yaml:2:11  event_filter  never filtered\n');
    expect(ended.stdout).toContain('66.6 % of the rules were seen, 100 % are asked for');
    expect(ended.code).toBe(1);
    expect((await test(cwd, '--rules', '--threshold', '66')).code).toBe(0);
    expect(await test(cwd, '--rules', '--threshold', '101')).toMatchObject({ code: 2, stderr: expect.stringContaining('from 0 to 100') });
    const lines = (await test(cwd, '--rules', '--json')).stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(lines.at(-1)).toMatchObject({ rules: 3, points: 3, seen: 2, threshold: 100, enabled: 3, disabled: 0 });
    expect(lines.at(-2)).toMatchObject({
      file: 'rules.yaml',
      line: 7,
      plugin: 'failure_alerter',
      kind: 'route',
      text: 'publish alerts',
      seen: { taken: 2 },
    });
  });

  it('tells the mistakes that no case notices, and tries none while a case fails', async () => {
    const cwd = folder();
    const ended = await test(cwd, '--mutate');
    expect(ended.stdout).toMatch(/\nmutants {2}5 of 8 noticed {2}62\.5 % {2}in [\d.]+ s\n/);
    expect(ended.stdout).toContain('  rules.yaml:7:43  failure_alerter  min_retries: 3 → 2  not noticed by 4 cases\n');
    expect(ended.stdout).toContain('  rules.yaml:2:11  event_filter  enabled: true → false  no case plays it\n');
    expect(ended.code).toBe(1);
    expect((await test(cwd, '--mutate', '--threshold', '62.5', '-q')).code).toBe(0);
    const lines = (await test(cwd, '--mutate', '--json')).stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(lines.at(-1)).toMatchObject({ mutants: 8, killed: 5, percent: 62.5, threshold: 100 });
    expect(lines).toContainEqual(
      expect.objectContaining({
        plugin: 'failure_alerter',
        change: 'min_retries: 3 → 4',
        state: 'killed',
        by: expect.objectContaining({ name: 'a lasting failure alerts once' }),
      }),
    );
    expect(await test(folder(bad), '--mutate')).toMatchObject({ code: 1, stderr: 'mutants are not tried while a case fails\n' });
  });

  it('does not call it enough when there is no rule and nothing to mistake: nothing was looked at', async () => {
    const cwd = folder();
    writeFileSync(join(cwd, 'rules.yaml'), 'plugins:\n  - name: esx_processor\n    enabled: false\n');
    writeFileSync(
      join(cwd, 'marbles/none.marbles.yaml'),
      "config: ../rules.yaml\nstage: result_process\nmessages: { p: {} }\ncases:\n  - name: none\n    in: 'p|'\n    expect: { out: 'p|' }\n",
    );
    const rules = await test(cwd, '--rules', 'marbles/none.marbles.yaml');
    expect(rules.stdout).toMatch(/\nrules {2}0 plugins \(1 more disabled\), 0 of 0 seen\n\nno plugin that the specs name has a rule/);
    expect(rules.code).toBe(1);
    const mutants = await test(cwd, '--mutate', 'marbles/none.marbles.yaml');
    expect(mutants.stdout).toMatch(/\nmutants {2}0 of 0 noticed {2}in [\d.]+ s\n\nthere is nothing in which a mistake could be made/);
    expect(mutants.code).toBe(1);
    expect((await test(cwd, '--mutate', '--threshold', '0', 'marbles/none.marbles.yaml')).code).toBe(0);
  });

  it('writes back what was received when it is told to, and says how much', async () => {
    const cwd = folder(bad);
    expect(await test(cwd, '--update', 'marbles/a.marbles.yaml')).toMatchObject({
      code: 0,
      stderr: 'marbles/a.marbles.yaml  1 lane written\n',
    });
    expect(readFileSync(join(cwd, 'marbles/a.marbles.yaml'), 'utf8')).toBe(good);
  });

  it('runs again when a spec or its configuration changes, until it is interrupted', async () => {
    const cwd = folder();
    const command = start(['test', '--watch', '-q', 'marbles'], { cwd });
    try {
      await command.says(/4 passed/);
      writeFileSync(join(cwd, 'rules.yaml'), RULES.replace('min_retries: 3', 'min_retries: 4'));
      await command.says(/lasting failure alerts once[\s\S]*2 passed, 2 failed/);
      writeFileSync(join(cwd, 'marbles/a.marbles.yaml'), good.replace("publish alerts: 'f'", "publish alerts: ''"));
      await command.says(/3 passed, 1 failed/);
      writeFileSync(join(cwd, 'marbles/c.marbles.yaml'), good.replace('messages', 'mesages'));
      await command.says(/c\.marbles\.yaml {2}cannot be played/);
      command.signal('SIGINT');
      expect((await command.ended()).code).toBe(130);
    } finally {
      await command.kill();
    }
  });
});
