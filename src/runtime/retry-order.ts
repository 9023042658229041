import type { Origin, Outcome } from '../../operators/index.js';
import type { Mark, Marks } from '../transport/transport.js';
import { ORDER_HEADERS } from './retry-policy.js';

export interface RetryOrderOptions {
  /** The consumer group: what another group asked to have again has no turn here. */
  readonly group: string;
  /** Where keys that wait for a retry are remembered. */
  readonly marks: Marks;
  /** The name of that mark store. */
  readonly store: string;
  /** How long a message waits in place behind a predecessor that is retried, in milliseconds, before it goes to the retry topic as well. Defaults to 5 seconds. */
  readonly waitMs?: number;
  /** How many messages of one key wait in place. Defaults to 100. */
  readonly maxWaiting?: number;
  /** How long after it was due a retried message is waited for, in milliseconds; then those behind it go on. Defaults to an hour. */
  readonly giveUpMs?: number;
}

/** The messages of one key that lie in retry topics: a line of turns, of which the first alone may pass. */
export interface Line {
  /** Where the first of them lay: it tells this line from an earlier one of the key. */
  readonly chain: number;
  /** The first turn that has not left for good. */
  readonly head: number;
  readonly last: number;
  /** The retry topic of the last that joined or was retried. */
  readonly delayMs: number;
  /** When that one is due, in milliseconds since 1970. */
  readonly dueAt: number;
  /** Until when the first is waited for, in milliseconds since 1970. */
  readonly expiresAt: number;
}

export interface Turn {
  /** The partition that keeps the order of the key: it comes back there. */
  readonly partition: number;
  readonly chain: number;
  readonly turn: number;
}

/** A message and its place among those of its key. */
export interface Ticket {
  readonly key: string;
  /** None of a message that was never in a retry topic. */
  readonly turn: Turn | undefined;
}

interface Kept extends Ticket {
  /** Set once it goes to a retry topic: what is remembered when it is there, if anything. */
  parked?: { readonly mark: Mark | undefined; readonly turn: Turn };
}

type Headers = Readonly<Record<string, string>>;

/** A message that comes back sooner than this is sent in circles. */
const SOONEST_MS = 1000;

/** So much later than the last of its line a message is due: what is due at one time may come back in any order. */
const BEHIND_MS = 1;

/**
 * The order of a key across retries. A message that is retried, and each that has to wait behind it on a retry topic, gets a turn; the first and the
 * last turn of a key are remembered in a mark store, with the outcome that changes them. Only the first turn passes; when it has left for good the next
 * one is first, and when the last has left the key is forgotten. A copy of a message that has left already has a turn that has passed: it passes too.
 */
export class RetryOrder {
  readonly waitMs: number;
  readonly maxWaiting: number;
  private readonly giveUpMs: number;
  private readonly kept = new WeakMap<Origin, Kept>();

  constructor(private readonly options: RetryOrderOptions) {
    this.waitMs = options.waitMs ?? 5000;
    this.maxWaiting = options.maxWaiting ?? 100;
    this.giveUpMs = options.giveUpMs ?? 3_600_000;
  }

  /** The place of a message that has come to its lane. */
  enter(key: string, origin: Origin): Ticket {
    const ticket: Kept = { key, turn: this.turnIn(origin.headers) };
    this.kept.set(origin, ticket);
    return ticket;
  }

  /** Those of a key that lie in retry topics; nothing when there are none, or when they were waited for long enough. */
  lineOf(key: string, now: number): Line | undefined {
    const mark = this.options.marks.get(key, now);
    return mark === undefined ? undefined : readLine(mark.value, mark.expiresAt);
  }

  mayPass({ turn }: Ticket, line: Line | undefined): boolean {
    return line === undefined || (turn !== undefined && (turn.chain !== line.chain || turn.turn <= line.head));
  }

  /** It failed and is retried: the headers that say its turn. What is remembered goes with the claim. */
  retried(origin: Origin | undefined, to: { readonly delayMs: number; readonly dueAt: number }): Headers {
    const ticket = this.ticketOf(origin);
    if (ticket === undefined || origin === undefined) return {};
    const now = Date.now();
    const line = this.lineOf(ticket.key, now);
    const expiresAt = to.dueAt + this.giveUpMs;
    if (line === undefined) {
      const turn: Turn = { partition: origin.partition, chain: origin.offset, turn: 1 };
      return this.park(ticket, turn, { chain: turn.chain, head: 1, last: 1, ...to, expiresAt });
    }
    const { turn } = ticket;
    if (turn === undefined || turn.chain !== line.chain || turn.turn < line.head) {
      // A copy of one that has left: it comes again, and nobody waits for it.
      return this.park(ticket, turn ?? { partition: origin.partition, chain: origin.offset, turn: 0 }, undefined);
    }
    return this.park(ticket, turn, { ...line, delayMs: to.delayMs, dueAt: Math.max(to.dueAt, line.dueAt), expiresAt });
  }

  /** It goes to the retry topic because those before it are there: when it is due, and the headers that say its turn. */
  spilled(origin: Origin, ticket: Ticket, line: Line, now: number): { readonly dueAt: number; readonly headers: Headers } {
    const turn = ticket.turn ?? { partition: origin.partition, chain: line.chain, turn: line.last + 1 };
    const dueAt = Math.max(line.dueAt + BEHIND_MS, now + Math.min(line.delayMs, SOONEST_MS));
    const headers = this.park(ticket, turn, { ...line, last: Math.max(line.last, turn.turn), dueAt });
    return { dueAt, headers: { ...headers, [ORDER_HEADERS.spilled]: 'true' } };
  }

  /** What is remembered with the end of a claim. */
  atEnd(origin: Origin | undefined, outcome: Outcome): readonly Mark[] {
    const ticket = this.ticketOf(origin);
    if (outcome === 'released' && origin !== undefined) this.kept.delete(origin);
    if (ticket === undefined || outcome === 'released') return [];
    const { parked, turn, key } = ticket;
    if (parked !== undefined) return parked.mark === undefined ? [] : [parked.mark];
    if (turn === undefined || outcome === 'retried') return [];
    const now = Date.now();
    const line = this.lineOf(key, now);
    if (line === undefined || line.chain !== turn.chain || line.head !== turn.turn) return [];
    const head = line.head + 1;
    return [
      head > line.last
        ? this.mark(key, { ...line, head, expiresAt: 0 })
        : this.mark(key, { ...line, head, expiresAt: Math.max(now, line.dueAt) + this.giveUpMs }),
    ];
  }

  private park(ticket: Ticket, turn: Turn, line: Line | undefined): Headers {
    (ticket as Kept).parked = { turn, mark: line === undefined ? undefined : this.mark(ticket.key, line) };
    return { [ORDER_HEADERS.key]: ticket.key, [ORDER_HEADERS.turn]: `${turn.partition}.${turn.chain}.${turn.turn}` };
  }

  private mark(key: string, line: Line): Mark {
    const { chain, head, last, delayMs, dueAt, expiresAt } = line;
    return { kind: 'mark', store: this.options.store, key, expiresAt, value: [chain, head, last, delayMs, dueAt].join(' ') };
  }

  /** What never came to its lane (nobody could read it) says itself which turn it is. */
  private ticketOf(origin: Origin | undefined): Kept | undefined {
    if (origin === undefined) return undefined;
    const kept = this.kept.get(origin);
    if (kept !== undefined) return kept;
    const key = origin.headers[ORDER_HEADERS.key];
    const turn = this.turnIn(origin.headers);
    if (key === undefined || turn === undefined) return undefined;
    const ticket: Kept = { key, turn };
    this.kept.set(origin, ticket);
    return ticket;
  }

  private turnIn(headers: Headers): Turn | undefined {
    if (headers['redelivered_from'] === undefined || headers['consumer_group'] !== this.options.group) return undefined;
    return turnOf(headers);
  }
}

/** The turn that the headers of a record say. */
export function turnOf(headers: Headers): Turn | undefined {
  const parts = /^(\d{1,10})\.(\d{1,16})\.(\d{1,16})$/.exec(headers[ORDER_HEADERS.turn] ?? '');
  return parts === null ? undefined : { partition: Number(parts[1]), chain: Number(parts[2]), turn: Number(parts[3]) };
}

function readLine(text: string, expiresAt: number): Line | undefined {
  const numbers = text.split(' ').map(Number);
  const [chain, head, last, delayMs, dueAt] = numbers;
  if (dueAt === undefined || numbers.some(Number.isNaN)) return undefined;
  return { chain: chain!, head: head!, last: last!, delayMs: delayMs!, dueAt, expiresAt };
}
