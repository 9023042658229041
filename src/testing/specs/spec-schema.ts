import { z } from 'zod';
import { allStages } from '../../config/domains.js';
import { duration } from '../../config/quantities.js';
import { LANE_PATTERN } from './lane-names.js';

const lane = z
  .strictObject({
    marbles: z.string().describe('What is received, and when.'),
    tolerance: duration().optional().describe('How far from its drawing something may happen; none when nothing is said.'),
    unordered: z.boolean().default(false).describe('Letters may come in any order.'),
    content: z
      .record(z.string(), z.unknown())
      .default({})
      .describe('By letter, what the action carries: a map lists members that it must have, anything else is all of it.'),
    reason: z.string().min(1).optional().describe('A text that stands in the reason of everything in this lane.'),
  })
  .meta({ title: 'a lane' });

const bare = z.string().transform((marbles): z.output<typeof lane> => ({ marbles, unordered: false, content: {} }));

/** A lane of a case: its marbles, or a map that says more. */
const laneSchema = z.union([bare, lane]);

const context = z
  .strictObject({
    data: z.record(z.string(), z.unknown()).optional().describe('What the stage knows beside the message.'),
    headers: z.record(z.string(), z.string()).optional().describe("The record's headers."),
    error: z.unknown().optional().describe('What went wrong, at stages that observe failures.'),
    retry_count: z.int().min(0).optional().describe('How often it was retried.'),
    event_id: z.string().optional().describe('What the message is called.'),
    event_type: z.string().nullable().optional().describe('The full type of the event that it goes back to.'),
    project_id: z.string().nullable().optional().describe('The project, in domains that have them.'),
    worker: z.string().optional().describe('The worker in which the chain stands.'),
  })
  .meta({ title: '$context' });

const message = z
  .looseObject({
    $like: z.union([z.string(), z.number()]).optional().describe('The letter whose fields it has where it says none of its own.'),
    $file: z.string().optional().describe('A file of JSON that holds all of it, from here or from the working directory.'),
    $stage: z.string().optional().describe("Where it is; the case's stage when nothing is said.").meta({ examples: allStages() }),
    $of: z.string().optional().describe('The stage whose messages it is like, where messages of every kind come by.'),
    $context: context.optional().describe('What plugins see beside the message.'),
  })
  .meta({ title: 'a message' });

const answers = z.union([z.string(), z.array(z.string()).min(1)]);

/** A change to an entry of the configuration. */
const change = z.record(z.string(), z.unknown());

const changes = z
  .strictObject({ plugins: z.record(z.string(), change).default({}).describe('By the name of an entry, the keys that differ.') })
  .meta({ title: 'with' });

const shared = {
  stage: z.string().min(1).optional().describe('Where messages are that do not say it themselves.').meta({ examples: allStages() }),
  env: z.record(z.string(), z.string()).default({}).describe('Variables of the configuration. Those of the machine are not seen.'),
  with: changes.prefault({}).describe('What differs from the configuration.'),
  mocks: z
    .record(z.string(), answers)
    .default({})
    .describe('What actions answer, by kind and address: `webhook POST https://x/*: [5ms 503, 5ms ok]`. The others answer `ok` at once.'),
  messages: z.record(z.string(), message).default({}).describe('What each letter stands for.'),
  ignore: z.array(z.string().min(1)).default([]).describe('Lanes that may receive what they like; `*` stands for anything.'),
  start: z.iso.datetime({ offset: true }).optional().describe('What the calendar shows at the first millisecond.'),
};

const caseSchema = z
  .strictObject({
    name: z.string().min(1).describe('What the rule does, as a sentence.'),
    ...shared,
    in: z.string().describe('What enters, and when.'),
    sub: z.string().optional().describe('When somebody listens (`^`) and leaves (`!`).'),
    expect: z
      .record(z.string(), laneSchema)
      .default({})
      .describe('What each lane receives. A lane that is not there receives nothing.')
      .meta({ propertyNames: { pattern: LANE_PATTERN } }),
    in_flight: z.string().default('').describe('Letters that are rightly still in flight at the end.'),
  })
  .meta({ title: 'a case' });

/** The schema of a file of marble specs. */
export const specSchema = z
  .strictObject({
    title: z.string().min(1).optional().describe('What the file is about.'),
    description: z.string().optional().describe('More about it.'),
    config: z.string().min(1).optional().describe('The plugins file or pipeline file under test, from here or from the working directory.'),
    plugins: z.array(z.unknown()).optional().describe('Plugins under test that stand in no file of their own.'),
    domain: z.string().min(1).optional().describe('Which domain; the only one that runs when nothing is said.'),
    ...shared,
    cases: z.array(caseSchema).describe('What happens.'),
  })
  .meta({ title: 'the spec' });

export type WrittenMessage = z.output<typeof message>;
export type WrittenSpec = z.output<typeof specSchema>;
export type WrittenCase = z.output<typeof caseSchema>;
export type WrittenLane = z.output<typeof lane>;

/** The key that an expected lane's marbles stand under, where the lane is a map. */
export const MARBLES_KEY = 'marbles';
