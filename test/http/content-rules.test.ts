import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ALLOWED_EXTENSIONS,
  contentTypeProblem,
  extensionOf,
  extensionProblem,
  judgeFile,
  magicProblem,
} from '../../src/http/content-rules.js';

const HEADS: Readonly<Record<string, readonly (string | readonly number[])[]>> = {
  pdf: ['%PDF-1.7'],
  xml: ['<?xml version="1.0"?>', '\ufeff  <a/>'],
  txt: ['plain'],
  csv: ['a,b\n1,2'],
  json: ['{"a":1}'],
  html: ['<!doctype html>'],
  htm: ['<html>'],
  jpg: [[0xff, 0xd8, 0xff, 0xe0]],
  jpeg: [[0xff, 0xd8, 0xff, 0xe1]],
  png: [[0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  gif: ['GIF89a'],
  bmp: ['BM'],
  tif: [[0x49, 0x49, 0x2a, 0x00]],
  tiff: [[0x4d, 0x4d, 0x00, 0x2a]],
  webp: ['RIFF\u0001\u0001\u0001\u0001WEBP'],
  mov: [[0, 0, 0, 20, ...Buffer.from('ftypqt  ')]],
  mp4: [[0, 0, 0, 20, ...Buffer.from('ftypisom')]],
  doc: [[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]],
  xls: [[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]],
  docx: [[0x50, 0x4b, 3, 4]],
  xlsx: [[0x50, 0x4b, 3, 4]],
  esx: [[0x50, 0x4b, 3, 4]],
};

const bytes = (head: string | readonly number[]) => (typeof head === 'string' ? Buffer.from(head) : Buffer.from(head));

describe('which files are taken in', () => {
  it('G7: every extension has bytes that fit, as ESX, CSV and office files', () => {
    expect(Object.keys(HEADS).toSorted()).toEqual([...ALLOWED_EXTENSIONS].toSorted());
    for (const [extension, heads] of Object.entries(HEADS)) {
      for (const head of heads) expect(magicProblem(extension, bytes(head)), extension).toBeUndefined();
      expect(contentTypeProblem(extension, 'application/octet-stream')).toBeUndefined();
      expect(contentTypeProblem(extension, undefined)).toBeUndefined();
      expect(extensionProblem(extension)).toBeUndefined();
    }
  });

  it('G7: a program is none of them, whatever its name', () => {
    for (const program of ['MZ\u0090\u0000', '\u007fELF\u0002', '#!/bin/sh\nrm']) {
      for (const extension of ALLOWED_EXTENSIONS) expect(magicProblem(extension, Buffer.from(program, 'latin1')), extension).toBeDefined();
    }
  });

  it('a file of one kind is not one of another', () => {
    expect(magicProblem('pdf', bytes([0xff, 0xd8, 0xff]))).toBe('the content is not that of a file of type "pdf"');
    expect(magicProblem('esx', Buffer.from('<html>403</html>'))).toBeDefined();
    expect(magicProblem('docx', Buffer.from('%PDF-1.4'))).toBeDefined();
    expect(contentTypeProblem('pdf', 'text/plain')).toBe('a file of type "pdf" cannot be "text/plain"');
    expect(contentTypeProblem('pdf', 'application/x-msdownload')).toBe('the content type "application/x-msdownload" is not taken in');
  });

  it('E8: the extension may stand in the query', () => {
    expect(extensionOf('https://files.example.com/download?filename=a.PDF')).toBe('pdf');
    expect(extensionOf('https://files.example.com/download?file=&name=r.pdf')).toBe('pdf');
    expect(extensionOf('https://files.example.com/a.esx?filename=b.exe')).toBe('esx');
    expect(judgeFile('https://files.example.com/download', undefined)).toMatchObject({ accepted: false, reason: 'no_extension' });
  });

  it('names of inherited members are no extensions', () => {
    for (const name of ['constructor', '__proto__', 'toString']) expect(extensionProblem(name.toLowerCase())).toBeDefined();
    expect(extensionProblem('constructor')).toBe('files of type "constructor" are not taken in');
  });

  it('any bytes and any name give an answer', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ALLOWED_EXTENSIONS), fc.uint8Array({ maxLength: 64 }), fc.string(), (extension, head, name) => {
        expect(['string', 'undefined']).toContain(typeof magicProblem(extension, head));
        expect(typeof judgeFile(name, name).accepted).toBe('boolean');
      }),
    );
  });
});
