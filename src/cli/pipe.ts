import { isAscii, isUtf8 } from 'node:buffer';
import { Observable, type OperatorFunction, type Subscriber } from 'rxjs';
import { type ClaimOwner, type Delivery, type Ending, openDelivery, OUTCOMES, type Outcome } from '../../operators/index.js';
import { PenstockError } from '../diagnostics/index.js';
import type { Context, Passed } from '../plugin/index.js';
import type { ByteOutput } from './byte-output.js';
import type { ByteInput } from './byte-input.js';
import { LINE_END, lineBlocks } from './line-blocks.js';

export interface PipeOptions {
  readonly chain: OperatorFunction<Delivery<Context>, Delivery<Passed>>;
  /** The context of a message as it stands in its line. */
  readonly contextOf: (message: object) => Context;
  readonly input: ByteInput;
  readonly out: ByteOutput;
  /** Where the actions that plugins ask for are told, a line each. */
  readonly actions: ByteOutput;
  /** Where lines that cannot be handled are told, a line each. */
  readonly deadLetters: ByteOutput;
  /** The most lines that may wait for plugins at once. Defaults to 1000. */
  readonly maxInFlight?: number;
  /** Ends the reading; what is in flight is finished. */
  readonly signal?: AbortSignal;
}

export interface PipeCounts {
  readonly entered: number;
  readonly left: Readonly<Record<Outcome, number>>;
}

const CARRIAGE_RETURN = 13;

/** A JavaScript string holds no more; a longer line is told as too large and left out. */
const MAX_LINE = 256 * 1024 * 1024;
const OUTPUT_ROOM = 8 * 1024 * 1024;
const TOLD_AT_ONCE = 256 * 1024;
/** Small enough for the processor's cache, large enough that a read costs nothing beside the lines in it. */
const BLOCK = 256 * 1024;

/**
 * Runs a chain on lines: what passes goes out in the order it came in, its bytes untouched unless a plugin amended the message; the actions asked
 * for are told, not done. Lines that follow each other unchanged leave as one piece of the block they were read in.
 */
export async function pipe(options: PipeOptions): Promise<PipeCounts> {
  const run = new PipeRun(options);
  for await (const block of lineBlocks(options.input, { maxLine: MAX_LINE, size: BLOCK, signal: options.signal })) {
    if (block.kind === 'lines') await run.takeBlock(block.bytes);
    else run.takeTooLong(block.last);
    await run.room();
  }
  return run.end();
}

/** The claim of one line. */
class Line implements ClaimOwner {
  outcome: Outcome | undefined;
  reason: string | undefined;
  passed: Passed | undefined;

  constructor(
    private readonly run: PipeRun,
    readonly number: number,
    readonly block: Buffer,
    readonly start: number,
    /** Behind the line end. */
    readonly end: number,
    readonly message: object,
  ) {}

  /** The line without its end. */
  text(): string {
    let { end } = this;
    while (end > this.start && (this.block[end - 1] === LINE_END || this.block[end - 1] === CARRIAGE_RETURN)) end -= 1;
    return this.block.toString('utf8', this.start, end);
  }

  settled(ending: Ending, confirm: (outcome: Outcome) => void): void {
    this.outcome = ending.outcome;
    this.reason = ending.reason;
    this.passed = this.run.leaving;
    confirm(ending.outcome);
    this.run.left(this);
  }

  failed(error: unknown, delivery: Delivery<unknown>): void {
    this.run.deadLetter(this.number, 'plugin_failed', error, this.block.subarray(this.start, this.end));
    delivery.settle('dead_lettered', error instanceof Error ? error.message : String(error));
  }
}

class PipeRun {
  /** What came out of the chain, while its delivery is being settled. */
  leaving: Passed | undefined;
  private readonly counts: Record<Outcome, number> = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])) as Record<Outcome, number>;
  private entered = 0;
  private number = 0;
  private input!: Subscriber<Delivery<Context>>;
  private readonly finished: Promise<void>;
  /** Lines that wait for their turn to leave; the first ones may be gone already. */
  private waiting: Line[] = [];
  private head = 0;
  private wake: (() => void) | undefined;
  /** Lines are being taken, so whoever takes them writes what leaves. */
  private taking = false;
  private pieceOf: Buffer | undefined;
  private pieceStart = 0;
  private pieceEnd = 0;
  /** Actions that are told with the next write. */
  private told = '';

  constructor(private readonly options: PipeOptions) {
    const source = new Observable<Delivery<Context>>((subscriber) => void (this.input = subscriber));
    this.finished = new Promise((resolve, reject) => {
      options.chain(source).subscribe({ next: (delivery) => this.out(delivery), error: reject, complete: resolve });
    });
    // It is awaited at the end; a chain that breaks before must not count as unhandled.
    this.finished.catch(() => undefined);
  }

  async takeBlock(bytes: Buffer): Promise<void> {
    // ASCII needs no decoding, and a block of it no further look at any of its lines.
    const encoding = isAscii(bytes) ? 'latin1' : 'utf8';
    const readable = encoding === 'latin1' || isUtf8(bytes);
    const { maxInFlight: limit = 1000, signal } = this.options;
    this.taking = true;
    for (let start = 0; start < bytes.length && signal?.aborted !== true; ) {
      const stop = bytes.indexOf(LINE_END, start);
      const end = stop < 0 ? bytes.length : stop + 1;
      this.take(bytes, start, end, encoding, readable);
      start = end;
      if (this.waiting.length - this.head >= limit) await this.below(limit / 2);
    }
    this.taking = false;
    this.writeOut();
  }

  takeTooLong(last: boolean): void {
    if (!last) return;
    this.number += 1;
    this.entered += 1;
    this.counts.dead_lettered += 1;
    this.deadLetter(this.number, 'too_large', new Error(`the line is longer than ${MAX_LINE} bytes`), Buffer.alloc(0));
  }

  async room(): Promise<void> {
    const { out, actions, deadLetters } = this.options;
    await out.room(OUTPUT_ROOM);
    await actions.room(OUTPUT_ROOM);
    await deadLetters.room(OUTPUT_ROOM);
  }

  async end(): Promise<PipeCounts> {
    this.input.complete();
    await this.finished;
    if (this.head < this.waiting.length) await this.below(1);
    this.writeOut();
    return { entered: this.entered, left: this.counts };
  }

  /** A line's claim has ended; it leaves when all lines before it have. */
  left(line: Line): void {
    if (this.waiting[this.head] !== line) return;
    while (this.head < this.waiting.length && this.waiting[this.head]!.outcome !== undefined) {
      this.leave(this.waiting[this.head]!);
      this.head += 1;
    }
    if (this.head === this.waiting.length || this.head > 4096) {
      this.waiting = this.waiting.slice(this.head);
      this.head = 0;
    }
    if (!this.taking) this.writeOut();
    this.wake?.();
  }

  deadLetter(line: number, reason: string, error: unknown, bytes: Buffer): void {
    const original = isUtf8(bytes) ? { text: bytes.toString('utf8').replace(/\r?\n$/, '') } : { base64: bytes.toString('base64') };
    const facts = {
      line,
      reason,
      error_code: error instanceof PenstockError ? error.code : null,
      error: error instanceof Error ? error.message : String(error),
      ...original,
    };
    this.options.deadLetters.write(`${JSON.stringify({ dead_letter: facts })}\n`);
  }

  private take(bytes: Buffer, start: number, end: number, encoding: 'latin1' | 'utf8', readable: boolean): void {
    this.number += 1;
    if (end - start <= 2 && isBlank(bytes, start, end)) return;
    this.entered += 1;
    const message = read(bytes, start, end, encoding, readable);
    if (typeof message === 'string') {
      this.counts.dead_lettered += 1;
      this.deadLetter(
        this.number,
        'unreadable',
        new PenstockError('PS4101', message, { category: 'permanent' }),
        bytes.subarray(start, end),
      );
      return;
    }
    const line = new Line(this, this.number, bytes, start, end, message);
    const queued = this.head < this.waiting.length;
    if (queued) this.waiting.push(line);
    this.input.next(openDelivery(this.options.contextOf(message), undefined, line));
    if (queued) return;
    if (line.outcome === undefined) this.waiting.push(line);
    else this.leave(line);
  }

  private out(delivery: Delivery<Passed>): void {
    const { filtered, verdict } = delivery.value;
    this.leaving = delivery.value;
    if (filtered !== undefined) delivery.settle('filtered', filtered.reason);
    else if (verdict?.kind === 'retry') delivery.settle('retried', `after ${verdict.afterMs} ms`);
    else if (verdict?.kind === 'dead_letter') delivery.settle('dead_lettered', verdict.reason);
    else delivery.settle('delivered');
    this.leaving = undefined;
  }

  private leave(line: Line): void {
    const { passed } = line;
    this.counts[line.outcome!] += 1;
    if (passed !== undefined && passed.actions.length > 0) this.tellActions(line, passed);
    if (line.outcome !== 'delivered') return;
    if (passed !== undefined && passed.context.message !== line.message) {
      this.writePiece();
      const ending = line.block[line.end - 1] === LINE_END ? '\n' : '';
      this.options.out.write(JSON.stringify(passed.context.message) + ending);
      return;
    }
    if (this.pieceOf === line.block && this.pieceEnd === line.start) {
      this.pieceEnd = line.end;
      return;
    }
    this.writePiece();
    this.pieceOf = line.block;
    this.pieceStart = line.start;
    this.pieceEnd = line.end;
  }

  private tellActions(line: Line, { context, actions }: Passed): void {
    for (const { plugin, action } of actions) {
      const head = JSON.stringify({ line: line.number, event_id: context.event_id, plugin, type: action.type });
      this.told += `${head.slice(0, -1)},"params":${paramsText(action.params, line)}}\n`;
    }
    if (this.told.length > TOLD_AT_ONCE) this.writeTold();
  }

  private writeOut(): void {
    this.writeTold();
    this.writePiece();
  }

  private writeTold(): void {
    if (this.told === '') return;
    this.options.actions.write(this.told);
    this.told = '';
  }

  private writePiece(): void {
    if (this.pieceOf === undefined) return;
    this.options.out.write(this.pieceOf.subarray(this.pieceStart, this.pieceEnd));
    this.pieceOf = undefined;
  }

  /** Resolves when fewer lines than this wait. */
  private async below(limit: number): Promise<void> {
    const { taking } = this;
    this.taking = false;
    this.writeOut();
    while (this.waiting.length - this.head >= limit) {
      await new Promise<void>((resolve) => (this.wake = resolve));
      this.wake = undefined;
    }
    this.taking = taking;
  }
}

/** Parameters as JSON. The message itself stands there as it stands in its line: to make it text again would take as long as to read it. */
function paramsText(params: object, line: Line): string {
  const parts = Object.entries(params).flatMap(([name, value]: [string, unknown]) => {
    const text = value === line.message ? line.text() : JSON.stringify(value);
    return text === undefined ? [] : [`${JSON.stringify(name)}:${text}`];
  });
  return `{${parts.join(',')}}`;
}

function isBlank(bytes: Buffer, start: number, end: number): boolean {
  for (let index = start; index < end; index += 1) if (bytes[index] !== LINE_END && bytes[index] !== CARRIAGE_RETURN) return false;
  return true;
}

/** The object that a line holds, or why it holds none. */
function read(bytes: Buffer, start: number, end: number, encoding: 'latin1' | 'utf8', readable: boolean): object | string {
  try {
    if (!readable && !isUtf8(bytes.subarray(start, end))) return 'the line is not UTF-8';
    const value = JSON.parse(bytes.toString(encoding, start, end)) as unknown;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
    return 'the line is JSON but not an object';
  } catch (error) {
    // The parser's own sentence quotes the text, which may be personal.
    if (error instanceof SyntaxError) return 'the line is not JSON';
    throw error;
  }
}
