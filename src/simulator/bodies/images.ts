import { crc32, deflateSync } from 'node:zlib';
import type { Random } from '../random.js';
import { BLANK_STAMP, type Body, STAMP_LENGTH } from './body.js';

/** Makes a grey baseline JPEG of flat 8 × 8 blocks that wander in brightness; the stamp is its comment. */
export function jpeg(random: Random): Body {
  const columns = random.int(20, 80);
  const rows = random.int(15, 60);
  const size = Buffer.alloc(4);
  size.writeUInt16BE(rows * 8, 0);
  size.writeUInt16BE(columns * 8, 2);
  const head = Buffer.concat([Buffer.from([0xff, 0xd8]), segment(0xe0, Buffer.from('JFIF\0\x01\x01\0\0\x01\0\x01\0\0', 'latin1'))]);
  const bytes = Buffer.concat([
    head,
    segment(0xfe, Buffer.from(BLANK_STAMP)),
    segment(0xdb, Buffer.concat([Buffer.from([0]), Buffer.alloc(64, 8)])),
    segment(0xc0, Buffer.concat([Buffer.from([8]), size, Buffer.from([1, 1, 0x11, 0])])),
    // Brightness differences by size class, twelve codes of four bits; of the frequencies only "no more in this block", one bit.
    segment(0xc4, Buffer.from([0x00, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...Array(12).keys()])),
    segment(0xc4, Buffer.from([0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
    segment(0xda, Buffer.from([1, 1, 0x00, 0, 63, 0])),
    scan(random, columns * rows),
    Buffer.from([0xff, 0xd9]),
  ]);
  return { contentType: 'image/jpeg', bytes, stampAt: head.length + 4 };
}

function segment(marker: number, content: Buffer): Buffer {
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(content.length + 2, 2);
  return Buffer.concat([head, content]);
}

function scan(random: Random, blocks: number): Buffer {
  const bytes: number[] = [];
  let held = 0;
  let count = 0;
  const put = (value: number, bits: number) => {
    for (let bit = bits - 1; bit >= 0; bit -= 1) {
      held = (held << 1) | ((value >>> bit) & 1);
      count += 1;
      if (count < 8) continue;
      bytes.push(held);
      if (held === 0xff) bytes.push(0);
      held = 0;
      count = 0;
    }
  };
  let level = 0;
  for (let block = 0; block < blocks; block += 1) {
    const wanted = Math.max(-120, Math.min(120, level + random.int(-127, 127)));
    const difference = wanted - level;
    const magnitude = Math.abs(difference);
    const bits = magnitude === 0 ? 0 : 32 - Math.clz32(magnitude);
    put(bits, 4);
    put(difference >= 0 ? difference : difference + (1 << bits) - 1, bits);
    put(0, 1);
    level = wanted;
  }
  while (count > 0) put(1, 1);
  return Buffer.from(bytes);
}

/** Makes a grey 8-bit PNG; the stamp is a text chunk. */
export function png(random: Random): Body {
  const width = random.int(60, 200);
  const height = random.int(40, 150);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  const pixels = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) pixels[y * (width + 1) + x + 1] = (x * 3 + y * 5 + random.int(0, 20)) & 0xff;
  }
  const start = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', header)]);
  const text = chunk('tEXt', Buffer.from(`Comment\0${BLANK_STAMP}`, 'latin1'));
  const bytes = Buffer.concat([start, text, chunk('IDAT', deflateSync(pixels)), chunk('IEND', Buffer.alloc(0))]);
  const stampAt = start.length + 8 + 'Comment\0'.length;
  return {
    contentType: 'image/png',
    bytes,
    stampAt,
    checksum: { from: start.length + 4, to: stampAt + STAMP_LENGTH, at: stampAt + STAMP_LENGTH },
  };
}

function chunk(type: string, content: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}
