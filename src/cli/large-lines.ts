import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BlobStore } from '../storage/blob/index.js';
import { LINE_END } from './line-blocks.js';

/** Where the bytes of a line lie that was too long to be held. */
export interface StoredLine {
  /** The path below the claims. */
  readonly at: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface LargeLinesOptions {
  /** The claims: what dead letters name. */
  readonly blobs: BlobStore;
  /** Where files are put together; what a killed process leaves there belongs to nobody. */
  readonly workshop: string;
  /** The folder of the lines, below the claims. */
  readonly folder: string;
}

/** Lines that are too long to be held go to files as they come. */
export interface LargeLines {
  begin(): Promise<LargeLine>;
}

export interface LargeLine {
  append(bytes: Buffer): Promise<void>;
  /** Durable under its name when resolved; the line's end is not part of it. */
  finish(): Promise<StoredLine>;
  /** The line is not wanted any more. */
  discard(): Promise<void>;
}

const CARRIAGE_RETURN = 13;
/** A line's end has so many bytes at most. */
const END_BYTES = 2;

export function largeLines({ blobs, workshop, folder }: LargeLinesOptions): LargeLines {
  return {
    async begin() {
      const path = join(workshop, `line-${randomUUID()}`);
      return new LineFile(path, await open(path, 'wx', 0o600), blobs, folder);
    },
  };
}

class LineFile implements LargeLine {
  private readonly hash = createHash('sha256');
  private bytes = 0;
  /** The last bytes so far, which may be the line's end. */
  private tail: Buffer = Buffer.alloc(0);

  constructor(
    private readonly path: string,
    private readonly file: FileHandle,
    private readonly blobs: BlobStore,
    private readonly folder: string,
  ) {}

  async append(bytes: Buffer): Promise<void> {
    const known = Buffer.concat([this.tail, bytes]);
    this.tail = Buffer.from(known.subarray(-END_BYTES));
    await this.write(known.subarray(0, -END_BYTES));
  }

  async finish(): Promise<StoredLine> {
    try {
      let rest = this.tail;
      if (rest.at(-1) === LINE_END) rest = rest.subarray(0, -1);
      if (rest.at(-1) === CARRIAGE_RETURN) rest = rest.subarray(0, -1);
      await this.write(rest);
      await this.file.close();
      const sha256 = this.hash.digest('hex');
      const at = `${this.folder}/${sha256}`;
      await this.blobs.putFile(at, this.path, { frozen: true });
      return { at, bytes: this.bytes, sha256 };
    } finally {
      await this.discard();
    }
  }

  async discard(): Promise<void> {
    await this.file.close();
    await rm(this.path, { force: true });
  }

  private async write(bytes: Buffer): Promise<void> {
    this.hash.update(bytes);
    this.bytes += bytes.length;
    for (let from = 0; from < bytes.length; ) from += (await this.file.write(bytes, from)).bytesWritten;
  }
}
