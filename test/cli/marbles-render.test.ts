import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { builtCommand } from '../e2e/support/built.js';
import { run } from '../e2e/support/command.js';
import { temporary } from './temporary.js';

const folder = temporary();
const spec = (published: string) => `
title: audit
stage: result_process
plugins:
  - name: esx_processor
messages:
  e: { file_type: ESX, status: completed }
  p: { file_type: PDF, status: completed }
cases:
  - name: ESX goes to its queue!
    in: e-p|
    expect: { out: e-p|, publish xact.esx.processing: '${published}' }
  - name: PDF goes nowhere
    in: p|
    expect: { out: p| }
`;
const figures = join(folder, 'marbles', 'figures', 'audit');
const render = (...args: readonly string[]) => run(['marbles', 'render', ...args], { cwd: folder });

beforeAll(() => {
  builtCommand();
  mkdirSync(join(folder, 'marbles'), { recursive: true });
  writeFileSync(join(folder, 'marbles', 'audit.marbles.yaml'), spec('e'));
}, 120_000);

describe('marbles render', () => {
  it('draws each case beside its spec, and nothing again that is as drawn', async () => {
    expect(await render('--check')).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('missing  marbles/figures/audit/pdf-goes-nowhere.svg'),
    });
    expect(existsSync(figures)).toBe(false);
    const first = await render();
    expect(first).toMatchObject({ code: 0, stdout: expect.stringContaining('written  marbles/figures/audit/esx-goes-to-its-queue.svg') });
    expect(readdirSync(figures)).toEqual(['esx-goes-to-its-queue.svg', 'pdf-goes-nowhere.svg']);
    const svg = readFileSync(join(figures, 'esx-goes-to-its-queue.svg'), 'utf8');
    expect(svg).toContain('>ESX goes to its queue!</title>');
    expect(svg).toContain('file_type: ESX · status: completed');
    expect(await render()).toMatchObject({ code: 0, stdout: '', stderr: '2 figures are as drawn\n' });
    expect(await render('--check')).toMatchObject({ code: 0 });
  });

  it('finds what is stale, and what no case makes any more; files of others stay', async () => {
    writeFileSync(join(figures, 'pdf-goes-nowhere.svg'), '<svg/>');
    writeFileSync(join(figures, 'gone.svg'), readFileSync(join(figures, 'esx-goes-to-its-queue.svg')));
    writeFileSync(join(figures, 'own.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
    const checked = await render('--check', '--json');
    expect(checked.code).toBe(1);
    expect(JSON.parse(checked.stdout)).toEqual({
      figures: [
        { path: 'marbles/figures/audit/esx-goes-to-its-queue.svg', state: 'fresh' },
        { path: 'marbles/figures/audit/pdf-goes-nowhere.svg', state: 'stale' },
        { path: 'marbles/figures/audit/gone.svg', state: 'gone' },
      ],
      failed: 0,
    });
    expect(await render()).toMatchObject({ code: 0 });
    expect(readdirSync(figures)).toEqual(['esx-goes-to-its-queue.svg', 'own.svg', 'pdf-goes-nowhere.svg']);
  });

  it('puts figures where it is told', async () => {
    expect(await render('marbles/audit.marbles.yaml', '--out', 'pictures')).toMatchObject({ code: 0 });
    expect(readdirSync(join(folder, 'pictures', 'audit'))).toEqual(['esx-goes-to-its-queue.svg', 'pdf-goes-nowhere.svg']);
  });

  it('draws no case that does not hold, and says which', async () => {
    const before = readFileSync(join(figures, 'esx-goes-to-its-queue.svg'), 'utf8');
    writeFileSync(join(folder, 'marbles', 'audit.marbles.yaml'), spec('--p'));
    const failed = await render();
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain('ESX goes to its queue!');
    expect(readFileSync(join(figures, 'esx-goes-to-its-queue.svg'), 'utf8')).toBe(before);
    writeFileSync(join(folder, 'marbles', 'audit.marbles.yaml'), 'cases: 3\n');
    expect(await render()).toMatchObject({ code: 1, stderr: expect.stringContaining('audit.marbles.yaml:1') });
    expect(await render('nothing.yaml')).toMatchObject({ code: 2, stderr: expect.stringContaining('does not exist') });
  });
});
