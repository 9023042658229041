import { DEFAULT_EVENT_FAULTS, type EventFault, type EventFaults, faulty, lineOf } from './event-faults.js';
import { eventBook } from './events.js';
import { createRandom } from './random.js';

export interface SimulateOptions {
  /** The same seed gives the same lines, byte for byte. Defaults to 1. */
  readonly seed?: number | string;
  /** How many lines, bad ones and duplicates among them. Defaults to no end. */
  readonly events?: number;
  /** Shares that differ from the usual ones; `NO_EVENT_FAULTS` for none at all. */
  readonly faults?: Partial<EventFaults>;
  /** When the first event happens. Defaults to 5 January 2026. */
  readonly startAt?: Date;
  /** The same number of attachments for every event. Defaults to a mix of none to three. */
  readonly attachments?: number;
}

/** Lines that a duplicate may repeat. */
const REMEMBERED = 64;

/**
 * Makes the lines of a source of XACT events, without line ends, one at a time as they are asked for. Nothing in them depends on
 * a clock or on the machine, and a shorter run with the same seed gives the beginning of a longer one.
 */
export function* simulate({
  seed = 1,
  events = Number.POSITIVE_INFINITY,
  faults,
  startAt = new Date(Date.UTC(2026, 0, 5, 8)),
  attachments,
}: SimulateOptions = {}): Generator<Buffer, void, undefined> {
  const random = createRandom(`xact events ${seed}`);
  const next = eventBook({ random, startAt, attachments });
  const shares = Object.entries({ ...DEFAULT_EVENT_FAULTS, ...faults }) as [EventFault, number][];
  const earlier: Buffer[] = [];
  for (let index = 0; index < events; index += 1) {
    const drawn = next();
    const fault = drawFault(random.next(), shares);
    const line = fault === undefined ? plainLine(random.chance(0.3), drawn.event) : faulty(fault, drawn, random, earlier);
    earlier.push(line);
    if (earlier.length > REMEMBERED) earlier.shift();
    yield line;
  }
}

/** An event's line; some sources send `data` as a text of JSON. */
function plainLine(dataAsText: boolean, event: { readonly data: unknown }): Buffer {
  return lineOf(dataAsText ? { ...event, data: JSON.stringify(event.data) } : event);
}

function drawFault(at: number, shares: readonly [EventFault, number][]): EventFault | undefined {
  let left = at;
  for (const [fault, share] of shares) {
    left -= share;
    if (left < 0) return fault;
  }
  return undefined;
}
