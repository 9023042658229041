import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { existingDataDirectory, openDataDirectory } from '../../src/cli/data-directory.js';
import { temporary } from './temporary.js';

const codeOf = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
};

describe('the data directory', () => {
  it('is made for its owner alone, and opened again as it is', () => {
    const root = join(temporary(), 'deep', 'data');
    const data = openDataDirectory(root);
    expect(readdirSync(root).sort()).toEqual(['VERSION', 'cache', 'claims', 'files', 'log', 'state', 'tables', 'tmp']);
    for (const folder of ['.', 'log', 'tables', 'files', 'claims', 'cache', 'tmp', 'state'])
      expect(statSync(join(root, folder)).mode & 0o777).toBe(0o700);
    writeFileSync(join(data.tmp, 'kept'), 'x');
    expect(openDataDirectory(root)).toEqual(data);
    expect(existingDataDirectory(root)).toEqual(data);
    expect(readFileSync(join(data.tmp, 'kept'), 'utf8')).toBe('x');
  });

  it('of another version is refused, and not touched', () => {
    const root = temporary();
    writeFileSync(join(root, 'VERSION'), '99\n');
    expect(codeOf(() => openDataDirectory(root))).toBe('PS3003');
    expect(codeOf(() => existingDataDirectory(root))).toBe('PS3003');
    expect(readdirSync(root)).toEqual(['VERSION']);
  });

  it('that has a log but no version is refused, and so is a file', () => {
    const root = temporary();
    mkdirSync(join(root, 'log'));
    expect(codeOf(() => openDataDirectory(root))).toBe('PS3003');
    writeFileSync(join(root, 'file'), '');
    expect(codeOf(() => openDataDirectory(join(root, 'file')))).toBe('PS3011');
    expect(codeOf(() => existingDataDirectory(join(root, 'nothing')))).toBe('PS3011');
  });
});
