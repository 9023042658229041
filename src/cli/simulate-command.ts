import { open } from 'node:fs/promises';
import { NO_EVENT_FAULTS, NO_FILE_FAULTS, simulate, startFileServer } from '../simulator/index.js';
import { byteOutput } from './byte-output.js';
import { openDataDirectory } from './data-directory.js';
import { EXIT, UsageError } from './exit-codes.js';
import { refusalOf } from './refusal.js';
import type { Shell } from './shell.js';
import { interruptible } from './signals.js';

export interface SimulateFlags {
  readonly events?: number;
  readonly seed: string;
  readonly out?: string;
  readonly attachments?: number;
  readonly faults: boolean;
  readonly serve?: boolean;
  readonly port?: number;
}

const EVENTS = 1000;
const OUTPUT_ROOM = 4 * 1024 * 1024;
const LINE_END = Buffer.from('\n');

/** Writes simulated events, and serves their files while asked to. */
export async function simulateCommand(shell: Shell, flags: SimulateFlags): Promise<number> {
  return interruptible(async ({ signal, exitCode }) => {
    const server =
      flags.serve === true
        ? await startFileServer({
            directory: openDataDirectory(shell.data).state,
            seed: flags.seed,
            ...(flags.port === undefined ? {} : { port: flags.port }),
            ...(flags.faults ? {} : { faults: NO_FILE_FAULTS }),
          })
        : undefined;
    try {
      const lines = await writeEvents(shell, flags, signal);
      if (lines > 0) shell.notice(`${lines} lines written`);
      if (server !== undefined && !signal.aborted) {
        shell.notice(`serving files on 127.0.0.1:${server.port}; in the pipeline file:\n${resolveSample(server.hosts, server.port)}`);
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      }
      return exitCode(EXIT.fine);
    } finally {
      await server?.close();
    }
  });
}

async function writeEvents(shell: Shell, flags: SimulateFlags, signal: AbortSignal): Promise<number> {
  const events = flags.events ?? (flags.serve === true ? 0 : EVENTS);
  if (events === 0) return 0;
  const file = flags.out === undefined ? undefined : await created(flags.out);
  try {
    const out = file === undefined ? shell.out : byteOutput(file.fd);
    let written = 0;
    const { seed, attachments, faults } = flags;
    for (const line of simulate({
      seed,
      events,
      ...(attachments === undefined ? {} : { attachments }),
      ...(faults ? {} : { faults: NO_EVENT_FAULTS }),
    })) {
      if (signal.aborted) break;
      out.write(line);
      out.write(LINE_END);
      written += 1;
      await out.room(OUTPUT_ROOM);
    }
    await out.flush();
    return written;
  } finally {
    await file?.close();
  }
}

async function created(path: string): ReturnType<typeof open> {
  try {
    return await open(path, 'w');
  } catch (cause) {
    throw new UsageError(`${path} cannot be written: ${refusalOf(cause)}`);
  }
}

function resolveSample(hosts: readonly string[], port: number): string {
  return ['http:', `  allowed_hosts: [${hosts.join(', ')}]`, '  resolve:', ...hosts.map((host) => `    ${host}: 127.0.0.1:${port}`)].join(
    '\n',
  );
}
