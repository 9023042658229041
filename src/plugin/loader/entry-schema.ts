import { z } from 'zod';
import { allStages, type DomainShape, DOMAINS } from '../../config/domains.js';
import { duration } from '../../config/quantities.js';
import { count, textOrList } from '../../config/written.js';

const word = (known: readonly string[]) =>
  z
    .string()
    .transform((text) => text.trim().toLowerCase().replaceAll('-', '_'))
    .pipe(z.enum(known as [string, ...string[]]));

const words = (known: readonly string[]) =>
  z.union([z.array(word(known)), word(known)]).transform((value) => (typeof value === 'string' ? [value] : value));

const retry = z
  .strictObject({
    attempts: count(1, 100).default(3).describe('Attempts in total.'),
    base: duration().prefault('1s').describe('The first pause; it doubles, half of it by chance.'),
    cap: duration().prefault('30s').describe('The longest pause.'),
  })
  .meta({ title: 'retry' });

const circuitBreaker = z
  .strictObject({
    failures: count(1, 100_000).default(5).describe('Failures within the window that open it, if they are at least half of the calls.'),
    window: duration().prefault('1m').describe('The window in which failures are counted.'),
    open: duration().prefault('30s').describe('How long it stays open.'),
    probes: count(1, 1000).default(1).describe('Calls let through at once when it is half open.'),
  })
  .meta({ title: 'circuit_breaker' });

const rateLimit = z
  .strictObject({
    per_second: z.number().positive().describe('Calls a second.'),
    burst: z.number().positive().optional().describe('The most that may go at once; `per_second` when nothing is said.'),
  })
  .meta({ title: 'rate_limit' })
  .transform(({ per_second, burst }) => (burst === undefined ? { per_second } : { per_second, burst }));

const perSecond = z.string().transform((text, context) => {
  const match = /^(\d+(?:\.\d+)?)\s*\/\s*(s|sec|second|m|min|minute)$/i.exec(text.trim());
  if (match !== null && Number(match[1]) > 0) return { per_second: Number(match[1]) / (/^m/i.test(match[2]!) ? 60 : 1) };
  const params = { code: 'PS1105', help: 'write 50/s' };
  context.addIssue({ code: 'custom', message: `must be a rate, this is ${JSON.stringify(text)}`, params });
  return z.NEVER;
});

/** The schema of one plugin entry, whatever file it stands in. */
export function entrySchema(domains: readonly DomainShape[] = DOMAINS) {
  return z
    .strictObject({
      name: z.string().min(1).max(100).describe('Unique within a domain; says which plugin when nothing else does.'),
      type: z
        .string()
        .min(1)
        .optional()
        .describe('Which plugin, so that one can stand here twice under two names. The name when nothing is said.'),
      module: z.string().min(1).optional().describe('`./x.js` beside this file, a package, or an old dotted name that has an alias.'),
      class: z
        .string()
        .min(1)
        .optional()
        .describe('The export of the module, or a built-in by its class name; `default` when nothing is said.'),
      enabled: z.boolean().default(true).describe('Whether it runs.'),
      priority: z.int().optional().describe("Lower runs earlier; the plugin's own when nothing is said, else 100."),
      config: z.record(z.string(), z.unknown()).default({}).describe("Settings of the plugin, checked against the plugin's own schema."),
      domains: words(domains.map((domain) => domain.name))
        .optional()
        .describe("The domains it runs in; the plugin's own when nothing is said."),
      stages: words(allStages(domains)).optional().describe("The stages it runs at; the plugin's own when nothing is said."),
      event_types: textOrList().optional().describe('The event types it runs for, exactly; `*` means all.'),
      when: z.string().min(1).optional().describe('A CEL expression; where it is false the plugin is passed over.'),
      conditions: z
        .unknown()
        .optional()
        .describe('Conditions as `any`, `all` and `not`, nestable; where they are false the plugin is passed over.'),
      on_error: z
        .enum(['continue', 'dlq', 'stop'])
        .optional()
        .describe("What happens to a message when the plugin's own logic fails; `continue` when nothing is said."),
      timeout: duration().optional().describe('The longest that one call may take; 5s when nothing is said.'),
      retry: z
        .union([count(1, 100).transform((attempts) => ({ attempts, base: 1000, cap: 30_000 })), retry])
        .optional()
        .describe('How an action that failed is tried again at once: attempts, or a map.'),
      circuit_breaker: z
        .union([z.boolean().transform((on) => (on ? circuitBreaker.parse({}) : undefined)), circuitBreaker])
        .optional()
        .describe('When a plugin that keeps failing is passed over for a while.'),
      rate_limit: z
        .union([
          z
            .number()
            .positive()
            .transform((per_second) => ({ per_second })),
          perSecond,
          rateLimit,
        ])
        .optional()
        .describe('How often it may be called: `50/s`, or a map.'),
      concurrency: count(1, 1000)
        .optional()
        .describe('How many of its actions may be out at once; as many as whoever performs them does at once when nothing is said.'),
      order: z
        .enum(['key', 'none', 'source'])
        .optional()
        .describe('Which order calls that wait keep; that of the key when nothing is said.'),
      mode: z
        .enum(['inline', 'background'])
        .optional()
        .describe('Whether its actions are awaited or made durable first; by action when nothing is said.'),
      required: z.boolean().optional().describe('An action that failed for good sends the message to retry.'),
      isolation: z.enum(['none']).optional().describe('Where the plugin runs: in the worker itself.'),
      before: textOrList().optional().describe('Plugins that run after this one.'),
      after: textOrList().optional().describe('Plugins that run before this one.'),
      version: z.string().min(1).optional().describe("A range that the plugin's version must satisfy."),
      description: z.string().optional().describe('What it is here for.'),
      owner: z.string().optional().describe('Who looks after it.'),
      docs: z.string().optional().describe('Where to read more.'),
    })
    .meta({ title: 'a plugin entry' });
}

export type WrittenEntry = z.output<ReturnType<typeof entrySchema>>;

const taskAction = z.unknown().optional();

/** The schema of a task trigger in its old form. */
export const taskTriggerSchema = z
  .strictObject({
    name: z.string().min(1).max(100).describe('Unique within a domain.'),
    description: z.string().optional().describe('What it is here for.'),
    enabled: z.boolean().default(true).describe('Whether it runs.'),
    include_task_data: z.boolean().optional().describe('Whether the task goes along.'),
    include_project_data: z.boolean().optional().describe('Whether the project goes along.'),
    triggers: z
      .array(
        z
          .strictObject({
            task_id: z.union([z.int(), z.string().min(1)]).describe('The task that it is about.'),
            name: z.string().optional().describe('What people call it.'),
            description: z.string().optional().describe('What it is here for.'),
            on_assigned: taskAction.describe('What happens when the task is assigned.'),
            on_completed: taskAction.describe('What happens when it is completed.'),
            on_any: taskAction.describe('What happens at any change.'),
          })
          .meta({ title: 'a trigger' }),
      )
      .default([])
      .describe('Tasks and what happens to them.'),
  })
  .meta({ title: 'a task trigger' });

export type WrittenTaskTrigger = z.output<typeof taskTriggerSchema>;

/** The schema of a plugins file, for editors; a file may also be one entry by itself. */
export function pluginsFileSchema(domains: readonly DomainShape[] = DOMAINS) {
  return z
    .strictObject({
      plugins: z.array(entrySchema(domains)).optional().describe('Plugins, in the order in which they run at one priority.'),
      task_triggers: z.array(taskTriggerSchema).optional().describe('Task triggers in their old form.'),
    })
    .meta({ title: 'the plugins file' });
}
