import { didYouMean, PenstockError } from '../../diagnostics/index.js';
import type { XactStage, XactStages } from '../../domains/xact/stages.js';
import { type Context, PluginContext } from '../../plugin/index.js';
import { merged } from '../specs/merge.js';
import { fieldsOf, SPEC_DOMAINS, stageWorld, type StageWorld } from '../specs/stage-world.js';

type Fields = Readonly<Record<string, unknown>>;

/** What a test may say of a context beside its message. */
export interface TestContextFields {
  /** What stands in the ids of the message where it does not say them. Defaults to `1`. */
  readonly id?: string;
  readonly data?: Fields;
  readonly headers?: Readonly<Record<string, string>>;
  readonly error?: unknown;
  readonly event_id?: string;
  readonly event_type?: string | null;
  readonly project_id?: string | null;
  readonly retry_count?: number;
  readonly timestamp?: Date;
}

/** The same for a stage of XACT. */
export interface XactContextFields<S extends XactStage> extends TestContextFields {
  /** Defaults to `result_process`. */
  readonly stage?: S;
}

/**
 * A context of XACT as a plugin sees it, its message completed with what a valid message of the stage holds besides.
 *
 * @throws {PenstockError} PS5023 when the message cannot be one of its stage.
 */
export function xactContext<S extends XactStage = 'result_process'>(
  message: Partial<NonNullable<XactStages[S]['message']>> = {},
  { stage, ...fields }: XactContextFields<S> = {},
): Context<XactStages[S]['message'], XactStages[S]['data']> {
  const context = createTestContext('xact', stage ?? 'result_process', { ...fields, message });
  return context as Context<XactStages[S]['message'], XactStages[S]['data']>;
}

/**
 * A context of any domain and stage. What is known of the domain completes the message with valid values; of a domain that nobody knows it is what
 * was given.
 *
 * @throws {PenstockError} PS5023 when the message cannot be one of its stage, PS1205 when the domain has no such stage.
 */
export function createTestContext(
  domain: string,
  stage: string,
  { message = {}, id = '1', data, headers, error, ...rest }: TestContextFields & { readonly message?: unknown } = {},
): Context {
  const world = stageWorld(domain);
  if (world === undefined) {
    const fields = { domain, stage, message, event_id: id, error, ...rest };
    return plain(new PluginContext({ ...fields, ...(data === undefined ? {} : { data }), ...(headers === undefined ? {} : { headers }) }));
  }
  return { ...world.contextOf(stage, messageOf(world, stage, message, id), { data, headers, error }), ...rest };
}

/** The domains whose messages are completed. */
export const KNOWN_DOMAINS: readonly string[] = SPEC_DOMAINS;

/** The message, whole and valid. */
export function messageOf(world: StageWorld, stage: string, given: unknown, id: string): unknown {
  if (!world.stages.some(({ name }) => name === stage)) {
    throw new PenstockError('PS1205', `the domain ${world.domain} has no stage "${stage}"`, {
      category: 'permanent',
      help: `it has ${world.stages.map(({ name }) => name).join(', ')}`,
    });
  }
  const of = world.usual[stage] ?? stage;
  const schema = world.stages.find(({ name }) => name === of)?.message;
  if (schema === undefined || given === null) return given;
  const known = Object.keys(fieldsOf(schema) ?? {});
  const stranger = Object.keys(given as Fields).find((key) => !known.includes(key));
  if (stranger !== undefined && known.length > 0) {
    const near = didYouMean(stranger, known);
    throw unfit(stage, `it has no field "${stranger}"`, near === undefined ? `it has ${known.join(', ')}` : `did you mean "${near}"?`);
  }
  const parsed = schema.safeParse(merged(world.sample(of, id), given));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw unfit(
    stage,
    `${issue?.path.join('.') ?? ''}: ${issue?.message ?? parsed.error.message}`,
    'say what a worker would hand over',
    parsed.error,
  );
}

function unfit(stage: string, what: string, help: string, cause?: unknown): PenstockError {
  return new PenstockError('PS5023', `this is no message of ${stage}: ${what}`, { category: 'permanent', help, cause });
}

/** As the workers' own: an object that is nothing but its fields. */
function plain({
  domain,
  stage,
  worker,
  message,
  event_id,
  event_type,
  project_id,
  data,
  headers,
  error,
  retry_count,
  timestamp,
}: Context): Context {
  return { domain, stage, worker, message, event_id, event_type, project_id, data, headers, error, retry_count, timestamp };
}
