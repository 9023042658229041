import { type Progress, createProgress, pluginLine, workerLine } from '../observe/index.js';
import type { Catalogue } from '../plugin/definition.js';
import { type XactWorker } from '../domains/xact/topics.js';
import { cliDomain } from './domain.js';
import { EXIT, UsageError } from './exit-codes.js';
import { logName } from './open-log.js';
import { type Pipeline, type RunReport, WORKER_NAMES } from './pipeline.js';
import { openRunning, type Running } from './running.js';
import type { Shell } from './shell.js';
import { interruptible } from './signals.js';

export interface RunFlags {
  readonly worker?: readonly string[];
  readonly domain?: string;
  readonly untilIdle?: boolean;
  readonly waitRetries: boolean;
  readonly api: boolean;
  readonly drainTimeout?: number;
}

/** How often idleness is looked at, in milliseconds. */
const IDLE_LOOK_MS = 20;

/** Runs workers until a signal, or until there is nothing left to do. */
export async function runCommand(shell: Shell, flags: RunFlags, catalogue: Catalogue): Promise<number> {
  if (flags.domain !== undefined) cliDomain(flags.domain); // every worker is one of XACT, the only domain that runs here
  const workers = workersNamed(flags.worker);
  return interruptible(async ({ signal, exitCode }) => {
    const running = await openRunning(shell, { catalogue, workers, api: flags.api });
    const watch = watchRunning(shell, running);
    try {
      running.pipeline.start();
      shell.notice(started(running, workers));
      if (flags.untilIdle === true) await untilIdle(running.pipeline, { signal, waitRetries: flags.waitRetries, onWaiting: watch.waiting });
      else await aborted(signal);
      const report = await finish(running, watch.progress, flags.drainTimeout);
      if (flags.untilIdle === true || shell.json) shell.print(JSON.stringify(report));
      return exitCode(EXIT.fine);
    } finally {
      watch.progress.stop();
      await running.end();
    }
  });
}

/** Who works, on which log, and where to ask how it goes. */
function started({ config, data, server }: Running, workers: readonly XactWorker[]): string {
  const who = `${workers.length} worker${workers.length === 1 ? '' : 's'}`;
  const where = server === undefined ? '' : `, ${server.url}  /metrics /livez /readyz /health`;
  return `penstock run  ${who}, log ${logName(config, data)}${where}`;
}

function workersNamed(names: readonly string[] | undefined): readonly XactWorker[] {
  if (names === undefined || names.length === 0) return WORKER_NAMES;
  return [...new Set(names)].map((name) => {
    const known = WORKER_NAMES.find((worker) => worker === name);
    if (known === undefined) throw new UsageError(`there is no worker "${name}"`, `workers are: ${WORKER_NAMES.join(', ')}`);
    return known;
  });
}

export interface UntilIdleOptions {
  readonly signal: AbortSignal;
  readonly waitRetries: boolean;
  /** Told what is waited for, and nothing when the waiting is over. */
  readonly onWaiting: (what: string | undefined) => void;
}

/** Resolves when every consumed topic is at its end and nothing is in flight, or when the signal aborts. */
export async function untilIdle(pipeline: Pipeline, { signal, waitRetries, onWaiting }: UntilIdleOptions): Promise<void> {
  let calm = 0;
  while (!signal.aborted && calm < 2) {
    const busy = await pipeline.busy({ waitRetries });
    calm = busy === undefined ? calm + 1 : 0;
    onWaiting(busy);
    if (calm < 2) await pause(IDLE_LOOK_MS, signal);
  }
}

/** Drains, and tells what was done; the report is made when nothing flows any more and before anything is closed. */
export async function finish(running: Running, progress: Progress, drainTimeoutMs = running.config.drainTimeoutMs): Promise<RunReport> {
  await running.pipeline.drain(drainTimeoutMs);
  const report = await running.pipeline.report();
  progress.stop();
  return report;
}

/** Progress on standard error: a line a worker, the plugins' counts, and what is waited for. */
export function watchRunning(
  shell: Shell,
  { pipeline }: Running,
): { readonly progress: Progress; readonly waiting: (what: string | undefined) => void } {
  let waitingFor: string | undefined;
  const progress = createProgress({
    stream: process.stderr,
    lines: () => [
      ...pipeline.hosts.map((host) => workerLine({ worker: host.name, inFlight: host.inFlight(), ...host.doors() })),
      pluginLine(pipeline.chains.domain, pipeline.chains.counts()),
      ...(waitingFor === undefined ? [] : [`waiting: ${waitingFor}`]),
    ],
  });
  if (shell.quiet) progress.stop();
  else progress.start();
  return {
    progress,
    waiting: (what) => {
      waitingFor = what;
    },
  };
}

export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}
