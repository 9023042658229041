import { crc32 } from 'node:zlib';
import { createRandom, type Random } from '../random.js';
import { type Body, STAMP_LENGTH } from './body.js';
import { csv, docx, esx, pdf } from './documents.js';
import { jpeg, png } from './images.js';

export const FILE_TYPES = ['pdf', 'jpg', 'png', 'esx', 'csv', 'docx'] as const;
export type FileType = (typeof FILE_TYPES)[number];

const MAKERS: Readonly<Record<FileType, (random: Random) => Body>> = { pdf, jpg: jpeg, png, esx, csv, docx };

/** Different files of each type; the stamp makes each of them as many as are asked for. */
const VARIANTS = 12;

const made = new Map<string, Body>();

/** A true file of the type. The same type and stamp give the same bytes, and other stamps give others. */
export function fileOf(type: FileType, stamp: string): { readonly contentType: string; readonly bytes: Buffer } {
  const variant = crc32(stamp) % VARIANTS;
  const key = `${type}/${variant}`;
  let body = made.get(key);
  if (body === undefined) {
    body = MAKERS[type](createRandom(key));
    made.set(key, body);
  }
  return { contentType: body.contentType, bytes: stamped(body, stamp) };
}

export function isFileType(text: string): text is FileType {
  return (FILE_TYPES as readonly string[]).includes(text);
}

function stamped({ bytes, stampAt, checksum }: Body, stamp: string): Buffer {
  const copy = Buffer.from(bytes);
  copy.write(stamp.padStart(STAMP_LENGTH, '0').slice(-STAMP_LENGTH), stampAt, 'latin1');
  if (checksum !== undefined) copy.writeUInt32BE(crc32(copy.subarray(checksum.from, checksum.to)), checksum.at);
  return copy;
}
