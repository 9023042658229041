import { type Diagnostic, PenstockError } from '../diagnostics/index.js';

export const EXIT = {
  fine: 0,
  findings: 1,
  usage: 2,
  unreachable: 69,
  internal: 70,
  configuration: 78,
  interrupted: 130,
} as const;

/** The command line asks for something that does not exist or does not go together. */
export class UsageError extends Error {
  override readonly name = 'UsageError';

  constructor(
    message: string,
    readonly help?: string,
  ) {
    super(message);
  }
}

/** The configuration has errors, so nothing was started. */
export class InvalidConfiguration extends Error {
  override readonly name = 'InvalidConfiguration';

  constructor(readonly diagnostics: readonly Diagnostic[]) {
    super('the configuration has errors');
  }
}

/** How the process ends after an error that nobody handled. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof InvalidConfiguration) return EXIT.configuration;
  if (!(error instanceof PenstockError)) return EXIT.internal;
  if (/^PS1|^PS2|^PS3003|^PS3011/.test(error.code)) return EXIT.configuration;
  if (error.code.startsWith('PS3')) return EXIT.unreachable;
  return error.code === 'PS7000' ? EXIT.internal : EXIT.findings;
}
