import type { Code } from '../diagnostics/index.js';

/** A line about a plugin, for whoever writes logs. */
export interface ChainLine {
  readonly level: 'info' | 'warn' | 'error';
  readonly code?: Code;
  readonly message: string;
  readonly plugin: string;
  readonly domain: string;
  readonly stage: string;
  readonly event_id: string;
  readonly error?: unknown;
  /** How many lines of this kind were left out since the last one. */
  readonly suppressed?: number;
}

const PER_SECOND = 5;

interface Budget {
  second: number;
  left: number;
  suppressed: number;
}

/** Lines of one plugin and kind are written at most five times a second; the next one says how many were left out. */
export class BoundedLog {
  private readonly budgets = new Map<string, Budget>();

  constructor(
    private readonly write: ((line: ChainLine) => void) | undefined,
    private readonly now: () => number,
  ) {}

  /** False when nobody reads: then a line need not be made. */
  get wanted(): boolean {
    return this.write !== undefined;
  }

  line(kind: string, line: ChainLine): void {
    if (this.write === undefined) return;
    const key = `${line.plugin} ${kind}`;
    const second = Math.floor(this.now() / 1_000);
    let budget = this.budgets.get(key);
    if (budget === undefined) this.budgets.set(key, (budget = { second, left: PER_SECOND, suppressed: 0 }));
    if (budget.second !== second) {
      budget.second = second;
      budget.left = PER_SECOND;
    }
    if (budget.left === 0) {
      budget.suppressed += 1;
      return;
    }
    budget.left -= 1;
    this.write(budget.suppressed === 0 ? line : { ...line, suppressed: budget.suppressed });
    budget.suppressed = 0;
  }
}
