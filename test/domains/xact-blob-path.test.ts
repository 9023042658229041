import { isAbsolute, join, relative } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BlobPathFacts, blobPathOf, markedPath } from '../../src/domains/xact/blob-path.js';
import { safeSegment } from '../../src/domains/safe-path.js';

const facts: BlobPathFacts = {
  statusSubtype: 'documentsReceived',
  traceId: 't-1',
  assignmentId: 'DEMO-A-1',
  downloadUrl: 'https://files.example.com/demo/scan.PDF?x=1',
  estimateVersion: null,
};

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '',
    '.',
    '..',
    '../..',
    '..\\..',
    'a/b',
    '/abs',
    'C:\\x',
    '\u0000',
    'x'.repeat(4096),
    'é'.repeat(400),
    '\u202efdp.exe',
    '%2e%2e%2f',
  ),
  fc.array(fc.constantFrom('.', '/', '\\', '\u0000', 'a', '\n', ':'), { maxLength: 30 }).map((parts) => parts.join('')),
);

function expectSafe(path: string): void {
  const segments = path.split('/');
  expect(segments).toHaveLength(4);
  for (const segment of segments) {
    expect(['', '.', '..']).not.toContain(segment);
    expect(Array.from(segment).every((character) => character >= ' ' && character !== '\\' && character !== '\u007f')).toBe(true);
    expect(Buffer.byteLength(segment)).toBeLessThanOrEqual(255);
  }
  const below = relative('/base', join('/base', path));
  expect(below === '..' || below.startsWith('../') || isAbsolute(below)).toBe(false);
}

describe('blob paths', () => {
  it('the subtype decides what stands before the name', () => {
    const file = (statusSubtype: string, estimateVersion: string | null = null) =>
      blobPathOf({ ...facts, statusSubtype, estimateVersion })
        .path.split('/')
        .at(-1);
    expect(file('documentsReceived')).toBe('DEMO-A-1_scan.pdf');
    expect(file('firstNoticeOfLossReceived')).toBe('DEMO-A-1_FNOL_scan.pdf');
    expect(file('estimatePackageReceived', '2')).toBe('DEMO-A-1_2_scan.pdf');
    expect(file('estimatePackageReceived')).toBe('DEMO-A-1_unknown_scan.pdf');
    expect(file('somethingNew')).toBe('DEMO-A-1_scan.pdf');
  });

  it('E17: whatever names and ids are, the path is safe below its base', () => {
    fc.assert(
      fc.property(hostile, hostile, hostile, hostile, (statusSubtype, traceId, assignmentId, name) => {
        const { path } = blobPathOf({ ...facts, statusSubtype, traceId, assignmentId, downloadUrl: `https://files.example.com/${name}` });
        expectSafe(path);
        expectSafe(markedPath(path, '1a2b3c4d'));
      }),
      { numRuns: 500 },
    );
  });

  it('E17: two hostile names do not become one', () => {
    expect(safeSegment('a/b')).not.toBe(safeSegment('a\\b'));
    expect(safeSegment('a/b')).not.toBe(safeSegment('a%2Fb'));
    expect(safeSegment(`${'x'.repeat(500)}1`)).not.toBe(safeSegment(`${'x'.repeat(500)}2`));
    expect(safeSegment('\ud800')).not.toBe(safeSegment('\ud801'));
    fc.assert(
      fc.property(hostile, hostile, (one, other) => {
        fc.pre(one !== other);
        expect(safeSegment(one)).not.toBe(safeSegment(other));
      }),
      { numRuns: 500 },
    );
  });

  it('a harmless name stays as it is, and so does an extension behind a hostile one', () => {
    for (const name of ['demo a 2', 'A.B', 'two..dots.pdf', 'name%20enc.pdf', '屋根.jpg', '-dash', '~tilde'])
      expect(safeSegment(name)).toBe(name);
    expect(safeSegment(`${'x'.repeat(500)}.pdf`)).toMatch(/^x+~[0-9a-f]{8}\.pdf$/);
  });

  it('E15: a name that ends in a dot has no type, not an empty one', () => {
    const { path, fileType } = blobPathOf({ ...facts, downloadUrl: 'https://files.example.com/d/name.' });
    expect(fileType).toBe('UNKNOWN');
    expect(path.endsWith('/DEMO-A-1_name')).toBe(true);
  });
});
