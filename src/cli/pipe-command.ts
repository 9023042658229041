import { open } from 'node:fs/promises';
import { builtIns } from '../../plugins/index.js';
import { hasErrors } from '../config/index.js';
import { didYouMean } from '../diagnostics/index.js';
import { contextOf, XACT_STAGES, type XactStage } from '../domains/xact/stages.js';
import { EVENT_TYPE_HEADER } from '../domains/xact/tasks.js';
import { XACT } from '../domains/xact/topics.js';
import { redactFields } from '../observe/redact-fields.js';
import { assemble, type ChainLine, type Context, PluginContext } from '../plugin/index.js';
import { byteInput } from './byte-input.js';
import { type ByteOutput, byteOutput } from './byte-output.js';
import { cliDomain } from './domain.js';
import { EXIT, InvalidConfiguration, UsageError } from './exit-codes.js';
import { pipe, type PipeCounts } from './pipe.js';
import { refusalOf } from './refusal.js';
import { loadWhole } from './settings.js';
import type { Shell } from './shell.js';
import { interruptible } from './signals.js';
import { XACT_STAGE_SPECS } from './xact-facts.js';

export interface PipeFlags {
  readonly domain: string;
  readonly stage: string;
  readonly actions?: string;
  readonly eventType?: string;
}

const STDIN = 0;
const STDERR = 2;

/** Runs the chain of one stage between standard input and standard output. */
export async function pipeCommand(shell: Shell, flags: PipeFlags): Promise<number> {
  const domain = cliDomain(flags.domain).name;
  const stage = stageNamed(domain, flags.stage);
  const loaded = await loadWhole(shell, builtIns, [domain]);
  const problems = byteOutput(STDERR);
  const stopped = new AbortController();
  const { set, diagnostics } = assemble({
    domain,
    entries: loaded.entries[domain] ?? [],
    catalogue: builtIns,
    stages: XACT_STAGE_SPECS,
    ...(shell.quiet ? {} : { log: (line: ChainLine) => tell(problems, line, shell) }),
    onStop: (plugin, error) => stopped.abort(new Error(`${plugin} failed and its on_error is stop`, { cause: error })),
  });
  if (hasErrors(diagnostics)) throw new InvalidConfiguration([...loaded.diagnostics, ...diagnostics]);
  if (!shell.quiet) shell.show([...loaded.diagnostics, ...diagnostics]);
  const file = flags.actions === undefined ? undefined : await created(flags.actions);
  try {
    await set.load();
    return await interruptible(async ({ signal, exitCode }) => {
      const actions = file === undefined ? problems : byteOutput(file.fd);
      const counts = await pipe({
        chain: set.stage(stage).operator,
        contextOf: contextMaker(stage, flags.eventType),
        input: byteInput(STDIN),
        out: shell.out,
        actions,
        deadLetters: problems,
        signal: AbortSignal.any([signal, stopped.signal]),
      });
      await shell.out.flush();
      await actions.flush();
      await lastLine(problems, counts);
      return exitCode(stopped.signal.aborted ? EXIT.findings : EXIT.fine);
    });
  } finally {
    await set.unload();
    await file?.close();
  }
}

function stageNamed(domain: string, name: string): XactStage {
  const stage = XACT_STAGES.find((known) => known === name.toLowerCase());
  if (domain === XACT && stage !== undefined) return stage;
  const near = didYouMean(name, XACT_STAGES);
  throw new UsageError(
    `${domain} has no stage "${name}"`,
    near === undefined ? `stages are: ${XACT_STAGES.join(', ')}` : `did you mean "${near}"?`,
  );
}

/** Contexts of messages that nobody has checked: one without the stage's fields has no `data`. */
function contextMaker(stage: XactStage, eventType: string | undefined): (message: object) => Context {
  const extras = eventType === undefined ? {} : { headers: { [EVENT_TYPE_HEADER]: eventType } };
  return (message) => {
    try {
      const fields = contextOf(stage, message as never, extras);
      return new PluginContext(typeof fields.event_id === 'string' ? fields : { ...fields, event_id: '' });
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      return new PluginContext({ domain: XACT, stage, message, event_id: textAt(message, 'trace_id') ?? textAt(message, 'traceId') ?? '' });
    }
  };
}

function textAt(message: object, name: string): string | undefined {
  const value = (message as Readonly<Record<string, unknown>>)[name];
  return typeof value === 'string' ? value : undefined;
}

/** A line of the log, as the workers would write it. */
function tell(problems: ByteOutput, { level, message, ...fields }: ChainLine, shell: Shell): void {
  if (level === 'info' && shell.verbosity === 0) return;
  problems.write(`${JSON.stringify({ level, ...redactFields(fields), msg: message })}\n`);
}

async function lastLine(problems: ByteOutput, counts: PipeCounts): Promise<void> {
  problems.write(`${JSON.stringify(counts)}\n`);
  await problems.flush();
}

async function created(path: string): ReturnType<typeof open> {
  try {
    return await open(path, 'w');
  } catch (cause) {
    throw new UsageError(`${path} cannot be written: ${refusalOf(cause)}`);
  }
}
