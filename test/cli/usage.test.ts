import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeFolder } from '../../src/cli/data-directory.js';
import { builtIns } from '../../plugins/index.js';
import { builtCommand } from '../e2e/support/built.js';
import { jsonLines, run } from '../e2e/support/command.js';
import { temporary } from './temporary.js';

const folder = temporary();
const data = join(folder, 'data');

beforeAll(() => void builtCommand(), 120_000);

describe('wrong usage', () => {
  const refused: readonly (readonly [args: readonly string[], sentence: string])[] = [
    [['run', '--domain', 'claimx'], 'there is no domain "claimx"\n  = help: domains are: xact'],
    [['run', '--worker', 'xact-downlod'], 'there is no worker "xact-downlod"'],
    [['dev', '--rate', '0'], 'at least 1'],
    [['simulate', '--serve', '--port', '65536'], 'a port, 0 (any) to 65535'],
    [['ingest', folder, '--domain', 'xact'], 'cannot be read: it is a directory'],
    [['ingest', join(folder, 'none'), '--domain', 'xact'], 'cannot be read: there is no such file or folder'],
    [['simulate', '--out', join(folder, 'none', 'x')], 'cannot be written: there is no such file or folder'],
    [['run', '-e', join(folder, 'none')], 'none cannot be read: there is no such file or folder'],
    [['dlq', 'ls', '--category', 'lasting'], 'Allowed choices are transient, auth'],
    [['dlq', 'lss'], "unknown command 'lss'\n  = help: did you mean ls?"],
    [['help', 'dlq', 'nothing'], 'there is no help about "dlq nothing"'],
  ];
  it.each(refused)('%j ends with 2, without a stack, and says what was expected', async (args, sentence) => {
    const ended = await run([...args, '--data', data]);
    expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(sentence) });
    expect(ended.stderr).not.toMatch(/^ {4}at |PS7000|ENOENT/m);
  });
});

describe('run', () => {
  it('says before it starts all that check says', async () => {
    const file = join(folder, 'wrong.yaml');
    writeFileSync(file, 'plugins:\n  - { name: audit_logger, priorty: 1 }\n  - { name: failure_alerter, when: stauts == "failed" }\n');
    const ended = await run(['run', '-c', file, '--data', data]);
    expect(ended.code).toBe(78);
    expect(ended.stderr).toContain('PS1103 a plugin entry has no key "priorty"');
    expect(ended.stderr).toContain('PS1401 result_process has no field "stauts"');
    expect(ended.stderr).toContain('0 warnings, 2 errors.  Nothing was started.');
    expect(existsSync(data)).toBe(false);
  });
});

describe('help', () => {
  it('is there for a command below a command', async () => {
    const asked = await run(['help', 'dlq', 'replay']);
    expect(asked).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Usage: penstock dlq replay/) });
  });

  it('tells each default once, as it would be typed', async () => {
    const told = async (...command: string[]) => (await run([...command, '--help'])).stdout.replaceAll(/\s+/g, ' ');
    expect(await told('ingest')).toContain('longer lines are dead-lettered (default: 8MiB) -h');
    expect(await told('dev')).toContain('the same events (default: 1) --rate');
    expect(await told('dlq', 'ls')).toContain('whose dead letters (default: xact) --reason');
  });
});

describe('penstock plugins ls', () => {
  it('lists each built-in plugin once, and with its older names as JSON', async () => {
    const known = new Set(Object.values(builtIns)).size;
    const table = (await run(['plugins', 'ls'])).stdout.trimEnd().split('\n');
    expect(table).toHaveLength(known + 1);
    expect(table.find((line) => line.startsWith('esx_processor '))).toMatch(/ xact +result_process +Publishes/);
    const rows = jsonLines<{ readonly name: string }>(await run(['plugins', 'ls', '--json']));
    expect(rows).toHaveLength(known);
    expect(rows.find((row) => row.name === 'event_filter')).toMatchObject({ also_called: ['custom_filter'] });
  });
});

describe('the data directory', () => {
  it('is made with the folders above it, and takes those that are there', () => {
    const path = join(folder, 'a', 'b', 'c');
    makeFolder(path);
    makeFolder(path);
    expect(() => mkdirSync(path)).toThrow('EEXIST');
  });

  it.runIf(process.platform === 'linux')('is refused at once where the system makes no folders', async () => {
    const ended = await run(['ingest', '-', '--domain', 'xact', '--data', '/proc/penstock/data'], { input: '{}\n' });
    expect(ended).toMatchObject({
      code: 78,
      stderr: expect.stringContaining('PS3011 the data directory /proc/penstock/data cannot be used'),
    });
  });
});
