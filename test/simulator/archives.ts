import { crc32, inflateRawSync, inflateSync } from 'node:zlib';

/** Reads every entry of a ZIP archive by its central directory, as an unpacker does, and checks sizes and checksums. */
export function unzip(bytes: Buffer): ReadonlyMap<string, Buffer> {
  const end = bytes.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  if (end < 0 || bytes.readUInt16LE(end + 20) !== bytes.length - end - 22) throw new Error('no end of the archive');
  const entries = new Map<string, Buffer>();
  let at = bytes.readUInt32LE(end + 16);
  if (at + bytes.readUInt32LE(end + 12) !== end) throw new Error('the directory is not where it should be');
  for (let count = bytes.readUInt16LE(end + 10); count > 0; count -= 1) {
    if (bytes.readUInt32LE(at) !== 0x02014b50) throw new Error('no entry of the directory');
    const nameLength = bytes.readUInt16LE(at + 28);
    const name = bytes.toString('utf8', at + 46, at + 46 + nameLength);
    const local = bytes.readUInt32LE(at + 42);
    if (bytes.readUInt32LE(local) !== 0x04034b50) throw new Error(`no entry ${name}`);
    const from = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    const content = inflateRawSync(bytes.subarray(from, from + bytes.readUInt32LE(at + 20)));
    if (content.length !== bytes.readUInt32LE(at + 24) || crc32(content) !== bytes.readUInt32LE(at + 16))
      throw new Error(`${name} is damaged`);
    entries.set(name, content);
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return entries;
}

/** Reads the pixels of a grey 8-bit PNG, and checks every chunk. */
export function readPng(bytes: Buffer): { readonly width: number; readonly height: number; readonly pixels: Buffer } {
  if (bytes.toString('latin1', 0, 8) !== '\x89PNG\r\n\x1a\n') throw new Error('no PNG');
  const data: Buffer[] = [];
  let size = { width: 0, height: 0 };
  for (let at = 8; ; ) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (crc32(bytes.subarray(at + 4, at + 8 + length)) !== bytes.readUInt32BE(at + 8 + length))
      throw new Error(`the chunk ${type} is damaged`);
    if (type === 'IHDR') size = { width: bytes.readUInt32BE(at + 8), height: bytes.readUInt32BE(at + 12) };
    if (type === 'IDAT') data.push(bytes.subarray(at + 8, at + 8 + length));
    at += 12 + length;
    if (type === 'IEND') {
      if (at !== bytes.length) throw new Error('something stands behind the end');
      return { ...size, pixels: inflateSync(Buffer.concat(data)) };
    }
  }
}

/** Decodes the Huffman codes of a baseline JPEG of one component; answers its size and how many blocks of 8 × 8 it has. */
export function readJpeg(bytes: Buffer): {
  readonly width: number;
  readonly height: number;
  readonly blocks: number;
  readonly levels: readonly number[];
} {
  if (bytes.readUInt16BE(0) !== 0xffd8 || bytes.readUInt16BE(bytes.length - 2) !== 0xffd9) throw new Error('no JPEG');
  const tables = new Map<number, Map<string, number>>();
  let size = { width: 0, height: 0 };
  let at = 2;
  for (let marker = bytes[at + 1]; marker !== 0xda; marker = bytes[at + 1]) {
    if (bytes[at] !== 0xff) throw new Error('no segment');
    const length = bytes.readUInt16BE(at + 2);
    if (marker === 0xc0) size = { height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) };
    if (marker === 0xc4) tables.set(bytes[at + 4]!, codesOf(bytes.subarray(at + 5, at + 2 + length)));
    at += 2 + length;
  }
  const bits = bitsOf(bytes.subarray(at + 2 + bytes.readUInt16BE(at + 2), bytes.length - 2));
  const levels: number[] = [];
  const blocks = Math.ceil(size.width / 8) * Math.ceil(size.height / 8);
  let level = 0;
  for (let block = 0; block < blocks; block += 1) {
    const length = bits.symbol(tables.get(0x00)!);
    const raw = bits.take(length);
    level += length === 0 ? 0 : raw < 2 ** (length - 1) ? raw - 2 ** length + 1 : raw;
    levels.push(level);
    for (let place = 1; place < 64; place += 1) {
      const symbol = bits.symbol(tables.get(0x10)!);
      if (symbol === 0) break;
      place += symbol >> 4;
      bits.take(symbol & 15);
    }
  }
  if (bits.left() > 7) throw new Error(`${bits.left()} bits are left over`);
  return { ...size, blocks, levels };
}

function codesOf(table: Buffer): Map<string, number> {
  const codes = new Map<string, number>();
  let code = 0;
  let symbol = 16;
  for (let length = 1; length <= 16; length += 1) {
    for (let count = table[length - 1]!; count > 0; count -= 1) {
      codes.set(code.toString(2).padStart(length, '0'), table[symbol]!);
      code += 1;
      symbol += 1;
    }
    code *= 2;
  }
  return codes;
}

function bitsOf(scan: Buffer) {
  let text = '';
  for (let at = 0; at < scan.length; at += 1) {
    text += scan[at]!.toString(2).padStart(8, '0');
    if (scan[at] === 0xff) {
      at += 1;
      if (scan[at] !== 0) throw new Error('a marker stands in the scan');
    }
  }
  let at = 0;
  const take = (count: number) => {
    if (at + count > text.length) throw new Error('the scan ends too early');
    at += count;
    return count === 0 ? 0 : Number.parseInt(text.slice(at - count, at), 2);
  };
  return {
    take,
    left: () => text.length - at,
    symbol: (codes: ReadonlyMap<string, number>) => {
      for (let length = 1; length <= 16; length += 1) {
        const symbol = codes.get(text.slice(at, at + length));
        if (symbol === undefined) continue;
        take(length);
        return symbol;
      }
      throw new Error('no code begins like this');
    },
  };
}
