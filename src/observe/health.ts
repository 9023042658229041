/** Answers why something is not well, or nothing when it is. */
export type Check = () => string | undefined;

export interface HealthReport {
  readonly status: 'ready' | 'not_ready' | 'error';
  /** Every check and what it says now. */
  readonly checks: Readonly<Record<string, string>>;
  readonly reasons: readonly string[];
  readonly uptime_seconds: number;
  readonly error?: string;
}

export interface Liveness {
  readonly status: 'alive' | 'unhealthy';
  readonly reasons: readonly string[];
  readonly uptime_seconds: number;
}

export interface HealthOptions {
  /** How long the event loop may go without a beat, in milliseconds. Defaults to a minute. */
  readonly staleAfterMs?: number;
  /** Reads the time, in milliseconds. */
  readonly now?: () => number;
}

/**
 * What the probes answer. Nothing is remembered from the start: every question asks the checks anew.
 *
 * Readiness says whether work can be taken (log reachable, breakers closed, no fault of the disk). Liveness says whether a restart would help; a
 * fatal error of the configuration is reported by readiness as `error` and leaves liveness alone, because a restart would not help.
 */
export interface Health {
  /** Adds a check of readiness, until the returned function is called. */
  readiness(name: string, check: Check): () => void;
  /** Adds a check of liveness, until the returned function is called. */
  liveness(name: string, check: Check): () => void;
  /** Enters error mode: not ready, for this reason, until the process ends. */
  failed(error: unknown): void;
  /** Says that the event loop turns; `start` does so by itself. */
  beat(): void;
  start(): void;
  stop(): void;
  ready(): HealthReport;
  alive(): Liveness;
}

const BEAT_MS = 1000;

export function createHealth({ staleAfterMs = 60_000, now = () => performance.now() }: HealthOptions = {}): Health {
  const startedAt = now();
  const readiness = new Map<string, Check>();
  const liveness = new Map<string, Check>();
  let error: string | undefined;
  let beatAt = startedAt;
  let timer: NodeJS.Timeout | undefined;
  const uptime = (): number => Math.round((now() - startedAt) / 1000);
  const add = (checks: Map<string, Check>, name: string, check: Check): (() => void) => {
    checks.set(name, check);
    return () => {
      if (checks.get(name) === check) checks.delete(name);
    };
  };
  const beat = (): void => void (beatAt = now());
  return {
    readiness: (name, check) => add(readiness, name, check),
    liveness: (name, check) => add(liveness, name, check),
    failed: (cause) => void (error = cause instanceof Error ? cause.message : String(cause)),
    beat,
    start() {
      beat();
      timer ??= setInterval(beat, BEAT_MS).unref();
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
    },
    ready() {
      const asked = [...readiness].map(([name, check]) => [name, ask(check)] as const);
      const reasons = asked.filter(([, answer]) => answer !== undefined).map(([name, answer]) => `${name}: ${answer}`);
      const checks = Object.fromEntries(asked.map(([name, answer]) => [name, answer ?? 'ok']));
      if (error !== undefined) return { status: 'error', checks, reasons: [error, ...reasons], uptime_seconds: uptime(), error };
      return { status: reasons.length === 0 ? 'ready' : 'not_ready', checks, reasons, uptime_seconds: uptime() };
    },
    alive() {
      const reasons = [...liveness].flatMap(([name, check]) => {
        const answer = ask(check);
        return answer === undefined ? [] : [`${name}: ${answer}`];
      });
      const staleMs = now() - beatAt;
      if (timer !== undefined && staleMs > staleAfterMs) reasons.unshift(`event_loop_stale: no beat for ${Math.round(staleMs / 1000)} s`);
      return { status: reasons.length === 0 ? 'alive' : 'unhealthy', reasons, uptime_seconds: uptime() };
    },
  };
}

/** A check that throws is an answer, not a failure of the probe. */
function ask(check: Check): string | undefined {
  try {
    return check();
  } catch (thrown) {
    return `the check failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
  }
}
