import { EXIT } from './exit-codes.js';

/** How a signal ends a command that has drained. */
const CODES: Readonly<Record<string, number>> = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.fine };

export interface Interruption {
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** The exit code that the signal asks for; `otherwise` when there was none. */
  readonly exitCode: (otherwise: number) => number;
}

/** Runs work that can be interrupted: the first signal asks it to come to an end, the second ends the process at once. */
export async function interruptible<T>(work: (interruption: Interruption) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let first: string | undefined;
  const onSignal = (name: NodeJS.Signals): void => {
    if (first !== undefined) process.exit(EXIT.interrupted);
    first = name;
    controller.abort(new Error(`interrupted by ${name}`));
  };
  for (const name of Object.keys(CODES)) process.on(name, onSignal);
  try {
    return await work({ signal: controller.signal, exitCode: (otherwise) => (first === undefined ? otherwise : CODES[first]!) });
  } finally {
    for (const name of Object.keys(CODES)) process.off(name, onSignal);
  }
}
