export interface ProgressStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

export interface ProgressOptions {
  readonly stream: ProgressStream;
  /** The lines as they should stand there now. */
  readonly lines: () => readonly string[];
  /** How often they are drawn. Defaults to 500 ms on a terminal, else 5 s. */
  readonly intervalMs?: number;
}

/** Lines that are drawn again and again: in place on a terminal, else written below each other when they have changed. */
export interface Progress {
  start(): void;
  /** Writes a text that stays, above the lines. */
  above(text: string): void;
  draw(): void;
  /** Draws a last time and leaves the lines standing. Idempotent. */
  stop(): void;
}

export function createProgress({ stream, lines, intervalMs }: ProgressOptions): Progress {
  const redraws = stream.isTTY === true;
  let timer: NodeJS.Timeout | undefined;
  let drawn = 0;
  let last = '';
  let stopped = false;

  const erase = (): void => {
    if (redraws && drawn > 0) stream.write(`\u001b[${drawn}A\u001b[0J`);
    drawn = 0;
  };
  const draw = (): void => {
    const now = lines();
    const text = now.map((line) => `${fit(line, redraws ? stream.columns : undefined)}\n`).join('');
    if (text === last && (!redraws || drawn > 0)) return;
    erase();
    last = text;
    if (text === '') return;
    stream.write(text);
    if (redraws) drawn = now.length;
  };

  return {
    start() {
      if (timer === undefined && !stopped) timer = setInterval(draw, intervalMs ?? (redraws ? 500 : 5000)).unref();
    },
    above(text) {
      erase();
      stream.write(text.endsWith('\n') ? text : `${text}\n`);
      if (!redraws || stopped) return;
      last = '';
      draw();
    },
    draw,
    stop() {
      if (stopped) return;
      stopped = true;
      clearInterval(timer);
      timer = undefined;
      draw();
      drawn = 0;
    },
  };
}

function fit(line: string, columns: number | undefined): string {
  return columns === undefined || line.length < columns ? line : `${line.slice(0, columns - 2)}…`;
}

export interface WorkerProgress {
  readonly worker: string;
  readonly entered: number;
  readonly inFlight: number;
  readonly left: Readonly<Record<string, number>>;
}

/** One worker in one line: `xact-download  in 120  in flight 3  delivered 110  retried 7`. Doors that nobody used are left out. */
export function workerLine({ worker, entered, inFlight, left }: WorkerProgress, width = 24): string {
  const doors = Object.entries(left).filter(([, count]) => count > 0);
  return [
    worker.padEnd(width),
    `in ${entered}`,
    `in flight ${inFlight}`,
    ...doors.map(([door, count]) => `${door.replace('_', ' ')} ${count}`),
  ].join('  ');
}

/** What a domain's plugins have done: their acts, amendments, filters and failures; those that did nothing yet are left out. */
export function pluginLine(domain: string, counts: Readonly<Record<string, Readonly<Record<string, number>>>>): string {
  const shown = Object.entries(counts).flatMap(([plugin, verdicts]) => {
    const done = (verdicts['act'] ?? 0) + (verdicts['amend'] ?? 0) + (verdicts['filter'] ?? 0);
    const bad = (verdicts['fail'] ?? 0) + (verdicts['timeout'] ?? 0);
    if (done === 0 && bad === 0) return [];
    return [bad === 0 ? `${plugin} ${done}` : `${plugin} ${done} (${bad} failed)`];
  });
  return `${domain} plugins  ${shown.length === 0 ? 'nothing done yet' : shown.join(' · ')}`;
}
