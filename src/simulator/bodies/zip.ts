import { crc32, deflateRawSync } from 'node:zlib';
import { BLANK_STAMP, type Body, STAMP_LENGTH } from './body.js';

export interface ZipEntry {
  readonly name: string;
  readonly bytes: Buffer;
}

/** 1 January 1980, the oldest date that the format knows, so that equal entries make equal archives. */
const DATE = 0x21;

/** Makes a ZIP archive of deflated entries; the stamp is its comment. */
export function zip(contentType: string, entries: readonly ZipEntry[]): Body {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, bytes } of entries) {
    const packed = deflateRawSync(bytes);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(8, 4);
    fields.writeUInt16LE(DATE, 8);
    fields.writeUInt32LE(crc32(bytes), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(bytes.length, 18);
    fields.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), fields, Buffer.from(name), packed]);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), fields, place, Buffer.from(name)]));
    locals.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(offset, 12);
  end.writeUInt16LE(STAMP_LENGTH, 16);
  const bytes = Buffer.concat([...locals, central, Buffer.from('PK\x05\x06', 'latin1'), end, Buffer.from(BLANK_STAMP)]);
  return { contentType, bytes, stampAt: bytes.length - STAMP_LENGTH };
}
