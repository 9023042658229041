import { isAbsolute, join, relative } from 'node:path';
import { expect } from 'vitest';
import { mediaBlobPath, type MediaRow } from '../../../src/domains/claimx/blob-path.js';
import { blobPathOf } from '../../../src/domains/xact/blob-path.js';
import { fields, type Family } from '../family.js';

function pathOf(input: Readonly<Record<string, unknown>>): string {
  if (input['domain'] === 'claimx') return mediaBlobPath(input['media_row'] as MediaRow);
  return blobPathOf({
    statusSubtype: input['status_subtype'] as string,
    traceId: input['trace_id'] as string,
    assignmentId: input['assignment_id'] as string,
    downloadUrl: input['download_url'] as string,
    estimateVersion: (input['estimate_version'] as string | null | undefined) ?? null,
  }).path;
}

/** Throws unless the path is safe below any base: the required number of segments, each of them harmless. */
export function isSafe(path: string, depth: number): void {
  const segments = path.split('/');
  expect(segments).toHaveLength(depth);
  for (const segment of segments) {
    expect(['', '.', '..']).not.toContain(segment);
    // oxlint-disable-next-line no-control-regex
    expect(segment).not.toMatch(/[\\\u0000-\u001f\u007f]/);
    expect(Buffer.byteLength(segment)).toBeLessThanOrEqual(255);
  }
  const below = relative('/base', join('/base', path));
  expect(below === '..' || below.startsWith('../') || isAbsolute(below)).toBe(false);
}

export const family: Family = {
  name: 'blob-path-unsafe',
  check(vector) {
    const input = fields(vector.in);
    isSafe(pathOf(input), input['domain'] === 'claimx' ? 3 : 4);
  },
};
