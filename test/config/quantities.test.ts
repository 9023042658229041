import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration, parseSize } from '../../src/config/index.js';

describe('durations and sizes', () => {
  it.each([
    ['500ms', 500],
    ['5s', 5000],
    ['1.5s', 1500],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    ['0', 0],
    ['30', 30_000],
    [30, 30_000],
    [0.05, 50],
  ])('%s is %d milliseconds', (text, milliseconds) => expect(parseDuration(text)).toBe(milliseconds));

  it.each([
    ['1KiB', 1024],
    ['64 MiB', 67_108_864],
    ['1gb', 1_000_000_000],
    ['100B', 100],
    ['1.5KiB', 1536],
    ['4096', 4096],
    [4096, 4096],
  ])('%s is %d bytes', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  it('refuses everything else', () => {
    for (const text of ['', '5 minutes', 'm', '-5s', '5q', '1h x', 'Infinity', '1e3s']) expect(parseDuration(text), text).toBeUndefined();
    for (const text of ['', '5x', '-1', 'MiB', '1e3']) expect(parseSize(text), text).toBeUndefined();
    expect(parseDuration(-1)).toBeUndefined();
    expect(parseDuration(Number.NaN)).toBeUndefined();
    expect(parseSize(1.5)).toBeUndefined();
  });

  it('writes a duration so that it is read as the same', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000_000), (milliseconds) => {
        expect(parseDuration(formatDuration(milliseconds))).toBe(milliseconds);
      }),
    );
    expect([50, 1000, 90_000, 300_000, 86_400_000].map(formatDuration)).toEqual(['50ms', '1s', '90s', '5m', '1d']);
  });
});
