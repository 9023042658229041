import { isUtf8 } from 'node:buffer';
import { PenstockError } from '../diagnostics/index.js';
import type { ClaimChecks } from '../runtime/claim-check.js';
import { deadLetterRecord } from '../runtime/dead-letter.js';
import type { NewRecord, Transport } from '../transport/transport.js';
import type { CliDomain } from './domain.js';
import type { ByteInput } from './byte-input.js';
import type { LargeLine, LargeLines, StoredLine } from './large-lines.js';
import { LINE_END, lineBlocks } from './line-blocks.js';

export interface IngestOptions {
  readonly transport: Transport;
  readonly domain: CliDomain;
  /** What is read. */
  readonly input: ByteInput;
  /** The file's name, as dead letters tell it. */
  readonly file: string;
  /** A longer line, without its end, is dead-lettered. */
  readonly maxRecord: number;
  /** Where dead letters lie that are too large to travel. */
  readonly claims: ClaimChecks;
  /** Where lines go that are too long to be held. */
  readonly largeLines: LargeLines;
  /** Ends the reading; what was read is written. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (counts: IngestCounts) => void;
}

export interface IngestCounts {
  /** Lines that were not empty. */
  readonly read: number;
  readonly ingested: number;
  readonly dead_lettered: number;
}

const BATCH_RECORDS = 2000;
const BATCH_BYTES = 2 * 1024 * 1024;
const CARRIAGE_RETURN = 13;
/** A byte order mark and a line's end. */
const AROUND_LINE = 5;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * Puts the lines of a file on the raw topic of a domain, bytes as they are. What cannot be a record becomes a dead letter with its bytes and its
 * line. Empty lines are no records. Resolves when everything is durable; memory is bounded by `maxRecord`: of a line more than twice as long the dead
 * letter names a file.
 */
export async function ingest(options: IngestOptions): Promise<IngestCounts> {
  const run = new Ingestion(options);
  try {
    for await (const block of lineBlocks(options.input, { maxLine: 2 * options.maxRecord + AROUND_LINE, signal: options.signal })) {
      if (block.kind === 'lines') run.takeLines(block.bytes);
      else await run.takePart(block.bytes, block.last);
      if (run.full || !run.writing) await run.write();
    }
    await run.end();
  } finally {
    await run.discard();
  }
  return run.counts;
}

/** Writes what became of lines. A raw record goes as it is, whatever its size, since several groups read it. */
export async function writeLines(
  records: readonly NewRecord[],
  { transport, domain, claims }: Pick<IngestOptions, 'transport' | 'domain' | 'claims'>,
): Promise<void> {
  const sent = records.map(async (record) => (record.topic === domain.deadLetters ? claims.check(record, undefined) : record));
  await transport.produce(await Promise.all(sent));
}

class Ingestion {
  private line = 0;
  private read = 0;
  private deadLettered = 0;
  private ingested = 0;
  private batch: NewRecord[] = [];
  private batchBytes = 0;
  private written: Promise<unknown> = Promise.resolve();
  /** A batch is on its way; meanwhile the next one grows, so that what comes slowly does not wait for a whole batch. */
  writing = false;
  private large: LargeLine | undefined;

  constructor(private readonly options: IngestOptions) {}

  get counts(): IngestCounts {
    return { read: this.read, ingested: this.ingested, dead_lettered: this.deadLettered };
  }

  get full(): boolean {
    return this.batch.length >= BATCH_RECORDS || this.batchBytes >= BATCH_BYTES;
  }

  takeLines(bytes: Buffer): void {
    const allText = isUtf8(bytes);
    for (let start = 0; start < bytes.length; ) {
      const stop = bytes.indexOf(LINE_END, start);
      const end = stop < 0 ? bytes.length : stop;
      this.takeLine(bytes.subarray(start, end), allText);
      start = end + 1;
    }
  }

  /** A part of a line that is far too long, whatever it holds. */
  async takePart(bytes: Buffer, last: boolean): Promise<void> {
    this.large ??= await this.options.largeLines.begin();
    const { large } = this;
    await large.append(bytes);
    if (!last) return;
    this.large = undefined;
    const stored = await large.finish();
    this.line += 1;
    this.read += 1;
    this.batch.push(largeLineLetter(stored, { ...this.options, line: this.line }));
  }

  /** Forgets what was read of a line that did not come to its end. */
  async discard(): Promise<void> {
    await this.large?.discard();
    this.large = undefined;
  }

  /** Writes the batch after the one before it; resolves when at most one is on its way. */
  async write(): Promise<void> {
    await this.written;
    if (this.batch.length === 0) return;
    const { batch } = this;
    this.batch = [];
    this.batchBytes = 0;
    this.writing = true;
    this.written = writeLines(batch, this.options).then(() => {
      this.writing = false;
      const dead = batch.filter(({ topic }) => topic === this.options.domain.deadLetters).length;
      this.deadLettered += dead;
      this.ingested += batch.length - dead;
      this.options.onProgress?.(this.counts);
    });
    // Whoever writes next hears of a failure; until then it must not count as unhandled.
    this.written.catch(() => undefined);
  }

  async end(): Promise<void> {
    await this.write();
    await this.written;
  }

  private takeLine(raw: Buffer, isText: boolean): void {
    this.line += 1;
    const marked = this.line === 1 && raw.subarray(0, 3).equals(BYTE_ORDER_MARK) ? raw.subarray(3) : raw;
    const bytes = marked.at(-1) === CARRIAGE_RETURN ? marked.subarray(0, -1) : marked;
    if (bytes.length === 0) return;
    this.read += 1;
    const record = lineRecord(bytes, { ...this.options, line: this.line, isText });
    this.batch.push(record);
    this.batchBytes += bytes.length;
  }
}

function largeLineLetter(stored: StoredLine, { domain, maxRecord, file, line }: Omit<LineOptions, 'isText'>): NewRecord {
  const read = `it has ${stored.bytes} bytes, ${maxRecord} are allowed`;
  return deadLetterRecord({
    topic: domain.deadLetters,
    source: { kind: 'stored_line', file, line, topic: domain.raw, ...stored },
    reason: 'too_large',
    error: new PenstockError('PS4101', `line ${line} cannot be a record: ${read}`, { category: 'permanent' }),
    domain: domain.name,
    worker: 'ingest',
    retryCount: 0,
    now: new Date(),
  });
}

export interface LineOptions extends Pick<IngestOptions, 'domain' | 'file' | 'maxRecord'> {
  /** Counted from 1. */
  readonly line: number;
  /** Known to be UTF-8. */
  readonly isText: boolean;
}

/** What becomes of a line, without its end: a record of the raw topic, bytes as they are, or a dead letter. */
export function lineRecord(bytes: Buffer, { domain, maxRecord, file, line, isText }: LineOptions): NewRecord {
  const read = bytes.length > maxRecord ? `it has ${bytes.length} bytes, ${maxRecord} are allowed` : readObject(bytes, isText);
  if (typeof read === 'object') return { topic: domain.raw, key: domain.keyOf(read), value: bytes };
  return deadLetterRecord({
    topic: domain.deadLetters,
    source: { kind: 'line', file, line, bytes, topic: domain.raw },
    reason: bytes.length > maxRecord ? 'too_large' : 'unreadable',
    error: new PenstockError('PS4101', `line ${line} cannot be a record: ${read}`, { category: 'permanent' }),
    domain: domain.name,
    worker: 'ingest',
    retryCount: 0,
    now: new Date(),
  });
}

/** The object that a line holds, or why it holds none. */
function readObject(bytes: Buffer, isText: boolean): Readonly<Record<string, unknown>> | string {
  if (!isText && !isUtf8(bytes)) return 'it is not UTF-8';
  try {
    const value = JSON.parse(bytes.toString('utf8')) as unknown;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Readonly<Record<string, unknown>>;
    return `it is JSON but not an object, it is ${value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`}`;
  } catch (error) {
    // The parser's own sentence quotes the text, which may be personal.
    if (error instanceof SyntaxError) return 'it is not JSON';
    throw error;
  }
}
