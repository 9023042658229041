import { type Category, PenstockError } from '../diagnostics/index.js';
import { categoryOfStatus } from '../http/status.js';
import { LaneError } from './lane.js';

/**
 * What actions are answered, by kind and address: `publish <topic>`, `webhook <METHOD url>`, `webhook <url>`, `email`, `log`, `metric <name>`; a `*`
 * stands for anything. An answer is `ok`, an HTTP status, `throws <text>` or `never`, with a duration before it or without: `5ms 503`. Of several
 * the first is for the first call and so on; the last answers whatever comes after. What no mock names is done at once.
 */
export type Mocks = Readonly<Record<string, string | readonly string[]>>;

/** How one call ends. */
export interface MockAnswer {
  readonly afterMs: number;
  /** Never, or with an error, or well. */
  readonly end: 'ok' | 'never' | PenstockError;
}

/** How often a mock was asked, so that one that nobody asks can be found. */
export interface MockUse {
  readonly mock: string;
  readonly asked: number;
}

const KINDS = ['publish', 'webhook', 'email', 'log', 'metric'] as const;
const DURATION = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m)(?:\s+|$)/;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };
const CATEGORY = /^(transient|auth|permanent|circuit_open|unknown):\s*/;

/** Reads an answer. */
export function parseAnswer(mock: string, text: string): MockAnswer {
  const duration = DURATION.exec(text.trim());
  const afterMs = duration === null ? 0 : Number(duration[1]) * UNITS[duration[2]!]!;
  const rest = text.trim().slice(duration?.[0].length ?? 0);
  if (rest === 'ok' || (rest === '' && duration !== null)) return { afterMs, end: 'ok' };
  if (rest === 'never') return { afterMs, end: 'never' };
  if (/^[1-5][0-9]{2}$/.test(rest)) return { afterMs, end: statusEnd(Number(rest)) };
  const thrown = /^throws(?:\s+(.*))?$/s.exec(rest);
  if (thrown !== null) {
    const said = thrown[1] ?? 'the action failed';
    const category = (CATEGORY.exec(said)?.[1] ?? 'unknown') as Category;
    return { afterMs, end: new PenstockError('PS4002', said.replace(CATEGORY, ''), { category }) };
  }
  throw new LaneError(
    `mock "${mock}": an answer is "ok", an HTTP status, "throws <text>" or "never", with a duration before it or without, such as "5ms 503"; found "${text}"`,
    mock,
  );
}

function statusEnd(status: number): MockAnswer['end'] {
  if (status >= 200 && status < 300) return 'ok';
  return new PenstockError('PS4002', `the server answered ${status}`, { category: categoryOfStatus(status), httpStatus: status });
}

/** A text with `*` for anything, as a test of other texts. */
export function globOf(pattern: string): (text: string) => boolean {
  if (!pattern.includes('*')) return (text) => text === pattern;
  const source = pattern.replace(/[\\^$.|?+()[\]{}]/g, String.raw`\$&`).replaceAll('*', '.*');
  const tested = new RegExp(`^${source}$`, 's');
  return (text) => tested.test(text);
}

interface Mock {
  readonly name: string;
  readonly fits: (lane: string) => boolean;
  readonly answers: readonly MockAnswer[];
  asked: number;
}

/** The mocks of one run. */
export class MockedActions {
  private readonly mocks: readonly Mock[];

  constructor(mocks: Mocks) {
    this.mocks = Object.entries(mocks).map(([name, given]) => {
      const texts = typeof given === 'string' ? [given] : given;
      if (texts.length === 0) throw new LaneError(`mock "${name}": there is no answer in it`, name);
      return { name, fits: fitsOf(name), answers: texts.map((text) => parseAnswer(name, text)), asked: 0 };
    });
  }

  /** What the action in this lane is answered now. Who has the exact name comes before those with a `*`. */
  answer(lane: string): MockAnswer {
    const mock = this.mocks.find(({ name }) => name === lane) ?? this.mocks.find(({ fits }) => fits(lane));
    if (mock === undefined) return { afterMs: 0, end: 'ok' };
    mock.asked += 1;
    return mock.answers[Math.min(mock.asked, mock.answers.length) - 1]!;
  }

  /** Answers a call: at once, or as a promise. */
  perform(lane: string): void | Promise<void> {
    const { afterMs, end } = this.answer(lane);
    if (end === 'never') return new Promise<void>(() => undefined);
    if (afterMs === 0) {
      if (end !== 'ok') throw end;
      return undefined;
    }
    return new Promise<void>((resolve, reject) => {
      setTimeout(() => (end === 'ok' ? resolve() : reject(end)), afterMs);
    });
  }

  use(): readonly MockUse[] {
    return this.mocks.map(({ name, asked }) => ({ mock: name, asked }));
  }
}

/** Which lanes a mock is for. */
function fitsOf(name: string): (lane: string) => boolean {
  const kind = name.split(' ', 1)[0]!;
  if (!(KINDS as readonly string[]).includes(kind)) {
    throw new LaneError(`mock "${name}": only ${KINDS.join(', ')} can be answered`, name);
  }
  const address = name.slice(kind.length + 1).trim();
  if (address === '') return (lane) => lane === kind || lane.startsWith(`${kind} `);
  if (kind === 'webhook' && !/^[A-Z*]+ /.test(address)) return globOf(`webhook * ${address}`);
  return globOf(`${kind} ${address}`);
}
