import { PenstockError } from '../diagnostics/index.js';
import { countLine } from '../diagnostics/render.js';
import { redactText } from '../observe/redact.js';
import { InvalidConfiguration, UsageError } from './exit-codes.js';
import type { Shell } from './shell.js';

/** Tells on standard error why a command ended. Nothing of it may hold a secret. */
export function report(error: unknown, shell: Shell | undefined): void {
  if (error instanceof InvalidConfiguration && shell !== undefined) {
    shell.show(error.diagnostics);
    process.stderr.write(`${countLine(error.diagnostics)}  Nothing was started.\n`);
    return;
  }
  process.stderr.write(redactText(lines(error).join('\n')) + '\n');
}

function lines(error: unknown): string[] {
  if (error instanceof UsageError) return [`error: ${error.message}`, ...helpLines(error.help)];
  if (error instanceof PenstockError) {
    const cause = error.cause instanceof Error && !error.message.includes(error.cause.message) ? [`  cause: ${error.cause.message}`] : [];
    return [`error ${error.code} ${error.message}`, ...cause, ...helpLines(error.help)];
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return [`error PS7000 an internal error: ${stack}`, '  = help: this is a mistake in penstock; please report it with the lines above'];
}

function helpLines(help: string | undefined): string[] {
  return help === undefined ? [] : [`  = help: ${help}`];
}
