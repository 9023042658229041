import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import type { Command } from 'commander';
import { renderPretty } from '../diagnostics/render.js';
import type { Diagnostic } from '../diagnostics/index.js';
import { byteOutput, type ByteOutput } from './byte-output.js';
import { UsageError } from './exit-codes.js';
import { refusalOf } from './refusal.js';

/** What every command gets, whatever it does. */
export interface Shell {
  /** The pipeline file as the user named it; none means the usual place. */
  readonly config: string | undefined;
  /** The data directory as the user named it. */
  readonly data: string;
  /** The log that was asked for; none means Kafka where brokers are named, else the embedded one. */
  readonly transport?: LogKind | undefined;
  /** Brokers that take the place of the configuration's. */
  readonly brokers?: readonly string[] | undefined;
  /** Machine-readable output on standard output. */
  readonly json: boolean;
  readonly color: boolean;
  /** Notices are left out. */
  readonly quiet: boolean;
  /** 0 usual, 1 `debug`, 2 `trace`. */
  readonly verbosity: number;
  /** The environment, with what the `--env-file` adds to it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Standard output, for results. */
  readonly out: ByteOutput;
  /** A line of result on standard output. */
  print(text: string): void;
  /** A notice on standard error, unless it is to be quiet. */
  notice(text: string): void;
  /** Findings on standard error, with the lines of the files they are about. */
  show(diagnostics: readonly Diagnostic[]): void;
}

export const LOG_KINDS = ['kafka', 'embedded'] as const;
export type LogKind = (typeof LOG_KINDS)[number];

export interface GlobalOptions {
  readonly config?: string;
  readonly data?: string;
  readonly envFile?: string;
  readonly transport?: LogKind;
  readonly brokers?: string;
  readonly json?: boolean;
  readonly color?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: number;
}

export const DEFAULT_DATA = '.penstock';

/** The shell of one command, from the options in front of it and behind it. */
export function shellOf(command: Command): Shell {
  const options = command.optsWithGlobals<GlobalOptions>();
  const quiet = options.quiet === true;
  const env = environment(options.envFile);
  const color = options.color !== false && process.stderr.isTTY && env['NO_COLOR'] === undefined;
  const out = byteOutput(1);
  return {
    config: options.config,
    data: options.data ?? DEFAULT_DATA,
    transport: options.transport,
    brokers: options.brokers === undefined ? undefined : brokersIn(options.brokers),
    json: options.json === true,
    color,
    quiet,
    verbosity: options.verbose ?? 0,
    env,
    out,
    print: (text) => out.write(`${text}\n`),
    notice: (text) => {
      if (!quiet) process.stderr.write(`${text}\n`);
    },
    show: (diagnostics) => void process.stderr.write(renderPretty(diagnostics, { source: sourceOf, color })),
  };
}

/** The brokers of a list with commas between. */
export function brokersIn(list = ''): readonly string[] {
  return list
    .split(',')
    .map((broker) => broker.trim())
    .filter((broker) => broker !== '');
}

/** What the process was given wins over the file. */
function environment(file: string | undefined): Readonly<Record<string, string | undefined>> {
  if (file === undefined) return process.env;
  try {
    return { ...parseEnv(readFileSync(file, 'utf8')), ...process.env };
  } catch (cause) {
    throw new UsageError(`the environment file ${file} cannot be read: ${refusalOf(cause)}`);
  }
}

/** The text of a file that a finding is about. */
export function sourceOf(file: string): string | undefined {
  try {
    return readFileSync(resolve(file), 'utf8');
  } catch {
    return undefined; // a finding about a file that cannot be read is shown without its lines
  }
}
