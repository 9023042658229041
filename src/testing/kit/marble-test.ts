import { createRequire } from 'node:module';
import { MarbleCase, type MockCalls } from './marble-case.js';
import type { MarblesOptions } from '../marbles.js';
import { MarblesError } from '../report.js';

/** The test function of a runner: vitest's, jest's, mocha's or Node's own. */
export type Register = (name: string, run: (context?: unknown) => Promise<void>) => unknown;

/** Some runners can leave a test out, or run it alone. */
type Runner = Register & { readonly only?: Register; readonly skip?: Register };

type Write = (t: MarbleCase) => void | Promise<unknown>;

/** Writes and plays one case, in whatever test it stands. */
export async function marbleCase(write: Write, options?: MarblesOptions): Promise<void> {
  const written = new MarbleCase(options);
  await write(written);
  await written.finish();
}

/** A test that is a marble case. Its runner is the one that runs it: vitest, one with a global `it` or `test`, or else Node's own. */
export function marbleTest(name: string, write: Write, options?: MarblesOptions): void {
  registered()(name, testOf(name, write, options));
}

/** The only tests of the file that run. */
marbleTest.only = (name: string, write: Write, options?: MarblesOptions): void => {
  const runner = registered();
  (runner.only ?? runner)(name, testOf(name, write, options));
};

/** A test that is left out. */
marbleTest.skip = (name: string, write: Write, options?: MarblesOptions): void => {
  registered().skip?.(name, testOf(name, write, options));
};

/** What a runner runs. */
export function testOf(name: string, write: Write, options?: MarblesOptions): (context?: unknown) => Promise<void> {
  return async (context) => {
    if (isConcurrent(context)) {
      throw new MarblesError(
        `"${name}" runs at the same time as others (test.concurrent): timers belong to the process, so a marble test runs alone`,
      );
    }
    await marbleCase(write, options);
  };
}

/** The answers of a webhook in a case, and its calls when the case was played: `mockWebhook(t, 'POST https://…', ['2ms 503', '2ms 200'])`. */
export function mockWebhook(t: MarbleCase, target: string, answers: string | readonly string[]): MockCalls {
  return t.mock(`webhook ${target}`, answers);
}

// Vitest tells of itself only by import, which a test that is being registered cannot wait for.
const vitest = '__vitest_worker__' in globalThis ? ((await import('vitest')) as { readonly it: Runner }) : undefined;

function registered(): Runner {
  if (vitest !== undefined) return vitest.it;
  const { it, test } = globalThis as { readonly it?: Runner; readonly test?: Runner };
  const global = it ?? test;
  if (global !== undefined) return global;
  const node = createRequire(import.meta.url)('node:test') as { readonly test: Runner };
  return node.test;
}

function isConcurrent(context: unknown): boolean {
  const { task } = (context ?? {}) as { readonly task?: { readonly concurrent?: boolean } };
  return task?.concurrent === true;
}
