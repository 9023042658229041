import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, makeDirectory, replaceDurable } from '../durable-file.js';
import type { StoredRow } from './cell.js';

/** Four words of a digest and the number of a file, counted from 1; 0 marks an empty slot. */
const WORDS = 5;
const SHARDS = 256;
const FIRST_SLOTS = 16;

/** Which file a row's key makes it look for; 128 bits of a SHA-256, so that two keys never share one. */
export type Fingerprint = Uint32Array;

/** A row's key as text, undefined when a part of it is null: such a row equals no other. */
export function keyText(row: StoredRow, keyAt: readonly number[]): string | undefined {
  let text = '';
  for (const at of keyAt) {
    const cell = row[at];
    if (cell === null || cell === undefined) return undefined;
    const part = String(cell);
    text += `${String(part.length)}:${part}`;
  }
  return text;
}

export function fingerprintOf(key: string): Fingerprint {
  const digest = hash('sha256', key, 'buffer');
  return new Uint32Array(digest.buffer.slice(digest.byteOffset, digest.byteOffset + 16));
}

interface Shard {
  slots: Uint32Array;
  used: number;
}

/**
 * Where each key of a table lies: key to file. About 40 bytes a key, in memory; it grows with the table. It is saved beside the table now and then, and
 * when a table is opened the files that the saved one does not know are read again. A key whose file is gone from the table counts as absent,
 * so files that others take away need no telling.
 */
export class KeyIndex {
  private readonly shards: (Shard | undefined)[] = Array.from({ length: SHARDS }, () => undefined);
  private readonly paths: string[] = [];
  private readonly numbers = new Map<string, number>();
  private count = 0;
  private saved = 0;
  private savedPaths = 0;

  private constructor(
    private readonly path: string,
    private readonly identity: string,
  ) {}

  get size(): number {
    return this.count;
  }

  hasFile(path: string): boolean {
    return this.numbers.has(path);
  }

  /** The file in which a key was last seen. */
  find(text: string): string | undefined {
    const key = fingerprintOf(text);
    const shard = this.shards[key[0]! & (SHARDS - 1)];
    if (shard === undefined) return undefined;
    const number = shard.slots[slotOf(shard.slots, key) + 4]!;
    return number === 0 ? undefined : this.paths[number - 1];
  }

  /** Says that a file is known, and which keys lie in it. */
  add(path: string, keys: Iterable<string>): void {
    let number = this.numbers.get(path);
    if (number === undefined) {
      number = this.paths.push(path);
      this.numbers.set(path, number);
    }
    for (const key of keys) this.set(fingerprintOf(key), number);
  }

  private set(key: Fingerprint, number: number): void {
    const at = key[0]! & (SHARDS - 1);
    const shard = (this.shards[at] ??= { slots: new Uint32Array(FIRST_SLOTS * WORDS), used: 0 });
    if ((shard.used + 1) * WORDS > shard.slots.length * 0.7) grow(shard);
    const slot = slotOf(shard.slots, key);
    if (shard.slots[slot + 4] === 0) {
      shard.slots.set(key, slot);
      shard.used += 1;
      this.count += 1;
    }
    shard.slots[slot + 4] = number;
  }

  /**
   * Saves when so much is new that reading it again would cost more; `always` saves whatever is new. Keys of files that are not live any more
   * are left out.
   */
  async save(version: number, when: 'always' | 'worthwhile', isLive: (path: string) => boolean): Promise<void> {
    const fresh = this.count - this.saved;
    const files = this.paths.length - this.savedPaths;
    if ((fresh === 0 && files === 0) || (when === 'worthwhile' && fresh < Math.max(1000, this.count / 8))) return;
    const paths = this.paths.filter(isLive);
    const numbers = new Map(paths.map((path, at) => [this.numbers.get(path), at + 1]));
    const words = new Uint32Array(this.count * WORDS);
    let end = 0;
    for (const shard of this.shards) {
      for (let slot = 0; shard !== undefined && slot < shard.slots.length; slot += WORDS) {
        const number = numbers.get(shard.slots[slot + 4]);
        if (number === undefined) continue;
        words.set(shard.slots.subarray(slot, slot + 4), end);
        words[end + 4] = number;
        end += WORDS;
      }
    }
    const head = Buffer.from(`${JSON.stringify({ identity: this.identity, version, count: end / WORDS, paths })}\n`);
    const content = Buffer.concat([head, Buffer.from(words.buffer, 0, end * 4)]);
    await replaceDurable(this.path, Buffer.concat([hash('sha256', content, 'buffer'), content]));
    this.saved = this.count;
    this.savedPaths = this.paths.length;
  }

  /** The saved index of a table, or an empty one when there is none that can be trusted. */
  static async open(tableDirectory: string, identity: string): Promise<KeyIndex> {
    const directory = join(tableDirectory, '_key_index');
    await makeDirectory(directory);
    const index = new KeyIndex(join(directory, 'keys.bin'), identity);
    const bytes = await readFile(index.path).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (bytes !== undefined) index.load(bytes);
    return index;
  }

  private load(bytes: Buffer): void {
    const content = bytes.subarray(32);
    if (!hash('sha256', content, 'buffer').equals(bytes.subarray(0, 32))) return;
    const headEnd = content.indexOf(10);
    const head = JSON.parse(content.toString('utf8', 0, headEnd)) as {
      readonly identity: string;
      readonly count: number;
      readonly paths: readonly string[];
    };
    if (head.identity !== this.identity) return;
    for (const path of head.paths) this.add(path, []);
    const start = content.byteOffset + headEnd + 1;
    const words = new Uint32Array(content.buffer.slice(start, start + head.count * WORDS * 4) as ArrayBuffer);
    for (let at = 0; at < words.length; at += WORDS) this.set(words.subarray(at, at + 4), words[at + 4]!);
    this.saved = this.count;
    this.savedPaths = this.paths.length;
  }
}

/** The slot of a key, or the empty one where it would go. */
function slotOf(slots: Uint32Array, key: Fingerprint): number {
  const last = slots.length / WORDS - 1;
  for (let at = key[1]! & last; ; at = (at + 1) & last) {
    const slot = at * WORDS;
    if (slots[slot + 4] === 0) return slot;
    if (slots[slot] === key[0] && slots[slot + 1] === key[1] && slots[slot + 2] === key[2] && slots[slot + 3] === key[3]) return slot;
  }
}

function grow(shard: Shard): void {
  const larger = new Uint32Array(shard.slots.length * 2);
  for (let slot = 0; slot < shard.slots.length; slot += WORDS) {
    const entry = shard.slots.subarray(slot, slot + WORDS);
    if (entry[4] !== 0) larger.set(entry, slotOf(larger, entry));
  }
  shard.slots = larger;
}
