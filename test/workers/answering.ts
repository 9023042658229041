import { type Context, defineOpenPlugin, messages, type Result } from '../../src/plugin/index.js';
import type { EntryOf } from './worker-bench.js';

export type Seen = Context<never>;

export interface Answering {
  readonly entry: EntryOf;
  /** The contexts that it was given, in order. */
  readonly seen: readonly Seen[];
}

/** A plugin that remembers what it saw and answers what the test says. */
export function answering(
  name: string,
  stages: readonly string[],
  answer: (context: Seen) => Result | undefined | void | Promise<Result | undefined | void> = () => undefined,
  entry: Partial<EntryOf> & { readonly filters?: boolean } = {},
): Answering {
  const seen: Seen[] = [];
  const { filters = false, ...rest } = entry;
  const plugin = defineOpenPlugin({
    name,
    version: '1.0.0',
    summary: 'Answers what a test says.',
    reads: messages<never>(),
    domains: ['xact'],
    stages,
    effects: { filters, actions: ['publish_to_topic', 'http_webhook', 'add_header'] },
    create: () => (context) => {
      seen.push(context as unknown as Seen);
      return answer(context as unknown as Seen) as undefined;
    },
  });
  return { entry: { name, plugin, stages, ...rest }, seen };
}
