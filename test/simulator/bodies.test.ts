import { describe, expect, it } from 'vitest';
import { contentTypeProblem, magicProblem } from '../../src/http/content-rules.js';
import { FILE_TYPES, fileOf } from '../../src/simulator/index.js';
import { readJpeg, readPng, unzip } from './archives.js';

/** Enough stamps to meet every variant. */
const STAMPS = Array.from({ length: 60 }, (_, index) => String(100_000_000_000_000_000n + BigInt(index) * 7_654_321n));

describe.each(FILE_TYPES)('a simulated %s', (type) => {
  it('is the same for the same stamp, and another for another', () => {
    const files = STAMPS.map((stamp) => fileOf(type, stamp).bytes);
    expect(new Set(files.map((bytes) => bytes.toString('base64'))).size).toBe(STAMPS.length);
    expect(fileOf(type, STAMPS[3]!).bytes.equals(files[3]!)).toBe(true);
  });

  it('passes the content rules under its own type and as plain bytes', () => {
    for (const stamp of STAMPS) {
      const { contentType, bytes } = fileOf(type, stamp);
      expect(magicProblem(type, bytes.subarray(0, 4096))).toBeUndefined();
      expect(contentTypeProblem(type, contentType)).toBeUndefined();
      expect(contentTypeProblem(type, 'application/octet-stream')).toBeUndefined();
    }
  });

  it('passes for no other type', () => {
    const { bytes } = fileOf(type, STAMPS[0]!);
    const zipped = ['esx', 'docx'];
    const others = FILE_TYPES.filter((other) => other !== type && other !== 'csv' && !(zipped.includes(type) && zipped.includes(other)));
    for (const other of others) expect(magicProblem(other, bytes.subarray(0, 4096))).toBeDefined();
  });
});

describe('real readers', () => {
  it('an ESX unpacks', () => {
    for (const stamp of STAMPS) {
      const entries = unzip(fileOf('esx', stamp).bytes);
      expect([...entries.keys()]).toEqual(['XACTDOC.XML', 'SKETCH.SKX']);
      expect(entries.get('XACTDOC.XML')?.toString()).toMatch(/^<\?xml[\s\S]*<\/estimate>\n$/);
    }
  });

  it('a DOCX unpacks and has the parts that one must have', () => {
    for (const stamp of STAMPS) {
      const entries = unzip(fileOf('docx', stamp).bytes);
      expect([...entries.keys()]).toEqual(['[Content_Types].xml', '_rels/.rels', 'word/document.xml']);
      expect(entries.get('word/document.xml')?.toString()).toContain('</w:document>');
    }
  });

  it('a PNG has all its pixels', () => {
    for (const stamp of STAMPS) {
      const { width, height, pixels } = readPng(fileOf('png', stamp).bytes);
      expect(pixels.length).toBe((width + 1) * height);
    }
  });

  it('a JPEG decodes to the last block', () => {
    for (const stamp of STAMPS.slice(0, 30)) {
      const { width, height, blocks, levels } = readJpeg(fileOf('jpg', stamp).bytes);
      expect(blocks).toBe((width / 8) * (height / 8));
      expect(Math.max(...levels.map(Math.abs))).toBeLessThanOrEqual(120);
      expect(new Set(levels).size).toBeGreaterThan(100);
    }
  });

  it('every entry of the cross-reference table of a PDF points at its object', () => {
    for (const stamp of STAMPS) {
      const text = fileOf('pdf', stamp).bytes.toString('latin1');
      const start = Number(/startxref\n(\d+)\n%%EOF\n$/.exec(text)?.[1]);
      const [, count, table] = /^xref\n0 (\d+)\n([\s\S]*)trailer/.exec(text.slice(start)) ?? [];
      const offsets = [...(table ?? '').matchAll(/(\d{10}) \d{5} n \n/g)].map((match) => Number(match[1]));
      expect(offsets).toHaveLength(Number(count) - 1);
      for (const [index, offset] of offsets.entries()) expect(text.slice(offset)).toMatch(new RegExp(`^${index + 1} 0 obj\n`));
    }
  });

  it('a CSV has as many cells in each record', () => {
    const records = fileOf('csv', STAMPS[0]!).bytes.toString().trimEnd().split('\r\n');
    expect(new Set(records.map((record) => record.split(',').length))).toEqual(new Set([5]));
  });
});
