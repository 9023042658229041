import type * as FastCheck from 'fast-check';
import type { z } from 'zod';
import type { XactStage, XactStages } from '../../domains/xact/stages.js';
import type { Context } from '../../plugin/index.js';
import { fieldsOf, stageWorld, type StageWorld } from '../specs/stage-world.js';

type Fields = Readonly<Record<string, unknown>>;
type Fc = typeof FastCheck;

/** Values to be generated, once fast-check is loaded. */
export type Generated<T> = (fc: Fc) => FastCheck.Arbitrary<T>;

export interface PropertyOptions {
  /** Defaults to 100. */
  readonly runs?: number;
  /** Repeats one generated sequence. */
  readonly seed?: number;
}

/**
 * Tries a claim with generated values; a claim that answers false, throws or rejects has failed.
 *
 * Needs `fast-check`, which is loaded only here.
 *
 * @throws the smallest counterexample that was found.
 */
export async function property<T>(
  values: Generated<T>,
  claim: (value: T) => boolean | void | Promise<boolean | void>,
  { runs = 100, seed }: PropertyOptions = {},
): Promise<void> {
  const fc = await import('fast-check');
  const tried = fc.asyncProperty(values(fc), async (value) => {
    const answer = await claim(value);
    return answer !== false;
  });
  await fc.assert(tried, { numRuns: runs, ...(seed === undefined ? {} : { seed }) });
}

export interface XactContexts<S extends XactStage> {
  /** Defaults to `result_process`. */
  readonly stage?: S;
  /** Fields of the message that are the same in each. */
  readonly message?: Partial<NonNullable<XactStages[S]['message']>>;
}

/** Contexts of each domain, whose messages are valid ones of their stage. */
export const contexts = {
  xact: <S extends XactStage = 'result_process'>({
    stage,
    message = {},
  }: XactContexts<S> = {}): Generated<Context<XactStages[S]['message'], XactStages[S]['data']>> => {
    const made = contextsOf(stageWorld('xact')!, stage ?? 'result_process', message);
    return made as unknown as Generated<Context<XactStages[S]['message'], XactStages[S]['data']>>;
  },
} as const;

function contextsOf(world: StageWorld, stage: string, fixed: Fields): Generated<Context> {
  const of = world.usual[stage] ?? stage;
  const schema = world.stages.find(({ name }) => name === of)!.message!;
  const shape = fieldsOf(schema) as Readonly<Record<string, z.ZodType>>;
  const sample = world.sample(of, '1');
  return (fc) => {
    const fields = Object.fromEntries(
      Object.entries(shape).map(([key, field]) => {
        const usual = Object.hasOwn(sample, key) ? sample[key] : undefined;
        const any = fromSchema(field)(fc).map((value) => (field.safeParse(value).success ? value : usual));
        return [key, Object.hasOwn(fixed, key) ? fc.constant(fixed[key]) : fc.oneof(any, any, fc.constant(usual))];
      }),
    );
    const whole = { ...sample, ...fixed };
    return fc.record(fields).map((given) => {
      // What each field allows may still contradict what the whole asks for: then it is a usual message.
      const parsed = schema.safeParse(given);
      return world.contextOf(stage, parsed.success ? parsed.data : schema.parse(whole), {});
    });
  };
}

interface Definition {
  readonly type: string;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly element?: z.ZodType;
  readonly items?: readonly z.ZodType[];
  readonly valueType?: z.ZodType;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly options?: readonly z.ZodType[];
  readonly values?: readonly unknown[];
  readonly entries?: Readonly<Record<string, unknown>>;
  readonly getter?: () => z.ZodType;
  readonly format?: string;
}

/** How deep values of any kind go. */
const DEEPEST = 4;

/**
 * Values as a zod schema takes them: by its structure, so that most are valid; what its checks and transforms ask for besides is not read out of it.
 * Filter by `safeParse` where every value must be valid.
 */
export function fromSchema(schema: z.ZodType, depth = 0): Generated<unknown> {
  const definition = (schema as unknown as { readonly _zod: { readonly def: Definition } })._zod.def;
  const inside = (inner: z.ZodType | undefined, fc: Fc): FastCheck.Arbitrary<unknown> =>
    inner === undefined || depth >= DEEPEST ? fc.constant(undefined) : fromSchema(inner, depth + 1)(fc);
  return (fc) => {
    switch (definition.type) {
      case 'string':
        return texts(fc);
      case 'number':
      case 'int':
        return numbers(definition, fc);
      case 'boolean':
        return fc.boolean();
      case 'date':
        return fc.date({ noInvalidDate: true });
      case 'null':
        return fc.constant(null);
      case 'undefined':
        return fc.constant(undefined);
      case 'literal':
        return fc.constantFrom(...(definition.values ?? []));
      case 'enum':
        return fc.constantFrom(...Object.values(definition.entries ?? {}));
      case 'array':
        return fc.array(inside(definition.element, fc), { maxLength: 4 });
      case 'tuple':
        return fc.tuple(...(definition.items ?? []).map((item) => inside(item, fc)));
      case 'record':
        return fc.dictionary(fc.string({ minLength: 1 }), inside(definition.valueType, fc), { maxKeys: 4 });
      case 'object':
        return fc.record(Object.fromEntries(Object.entries(definition.shape ?? {}).map(([key, field]) => [key, inside(field, fc)])));
      case 'union':
        return fc.oneof(...(definition.options ?? []).map((option) => inside(option, fc)));
      case 'nullable':
        return fc.option(inside(definition.innerType, fc), { nil: null });
      case 'optional':
      case 'default':
      case 'prefault':
        return fc.option(inside(definition.innerType, fc), { nil: undefined });
      case 'pipe':
        return inside(definition.in, fc);
      case 'lazy':
        return inside(definition.getter?.(), fc);
      default:
        return definition.innerType === undefined ? fc.oneof(texts(fc), fc.nat(), fc.jsonValue()) : inside(definition.innerType, fc);
    }
  };
}

function numbers({ type, format }: Definition, fc: Fc): FastCheck.Arbitrary<number> {
  const whole = fc.oneof(fc.nat({ max: 10 }), fc.nat(), fc.integer());
  return type === 'int' || format?.includes('int') === true ? whole : fc.oneof(whole, fc.double({ noNaN: true, noDefaultInfinity: true }));
}

/** Texts as they come, and those that formats ask for. */
function texts(fc: Fc): FastCheck.Arbitrary<string> {
  return fc.oneof(
    fc.string(),
    fc.string({ unit: 'grapheme', minLength: 1 }),
    fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2100-01-01') }).map((date) => date.toISOString()),
    fc.webUrl(),
    fc.uuid(),
  );
}
