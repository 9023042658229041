import { type Context, defineOpenPlugin, filter, messages, z } from '../src/plugin/index.js';
import { compilePattern, isFault, type Pattern } from '../src/plugin/pattern.js';

const pattern = z
  .string()
  .superRefine((source, issues) => {
    const compiled = compilePattern(source);
    if (isFault(compiled)) issues.addIssue({ code: 'custom', message: compiled.fault, params: { code: 'PS1402' } });
  })
  .describe('A regular expression of linear-time syntax, matched at the start of the event type.');

const config = z
  .strictObject({
    pattern: pattern.optional().describe('Which event types are filtered, matched from their start. Without it, all are.'),
    filter_pattern: pattern.optional().describe('The same as `pattern`, by its older name.'),
    invert: z.boolean().default(false).describe('Filters what does not match instead.'),
  })
  .refine(({ pattern: one, filter_pattern: other }) => one === undefined || other === undefined, {
    message: 'must have either pattern or filter_pattern, not both',
  });

type Config = z.output<typeof config>;

/** Filters contexts by their event type. */
export const eventFilter = defineOpenPlugin({
  name: 'event_filter',
  version: '1.0.0',
  summary: 'Filters events whose type matches a pattern, or all others.',
  reads: messages(),
  domains: ['xact', 'claimx'],
  stages: ['event_ingest'],
  effects: { filters: true },
  config,
  warnings: (given: Config) => (sourceOf(given) === '.*' ? [warningAbout(given)] : []),
  create: ({ config: given }) => {
    const source = sourceOf(given);
    const compiled = compilePattern(source) as Pattern;
    const outcome = given.invert ? 'did not match' : 'matched';
    return (context: Context) => {
      const type = context.event_type ?? '';
      if (compiled.atStart(type) === given.invert) return undefined;
      return filter(`Event type '${type}' ${outcome} filter pattern '${source}'`);
    };
  },
});

function sourceOf({ pattern: one, filter_pattern: other }: Config): string {
  return one ?? other ?? '.*';
}

function warningAbout({ invert, filter_pattern: other }: Config) {
  return {
    code: invert ? ('PS2107' as const) : ('PS2101' as const),
    path: [other === undefined ? 'pattern' : 'filter_pattern'],
    message: invert ? 'every event type matches, so nothing is ever filtered' : 'every event type matches, so everything is filtered',
    help: 'say which event types are meant: pattern: "claim.test.*"',
  };
}
