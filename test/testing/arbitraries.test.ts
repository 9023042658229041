import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { failureAlerter } from '../../plugins/failure-alerter.js';
import { STAGE_SCHEMAS, XACT_STAGES } from '../../src/domains/xact/stages.js';
import { contexts, fromSchema, property, runPlugin } from '../../src/testing/index.js';

describe('contexts that are generated', () => {
  it.each(XACT_STAGES.filter((stage) => STAGE_SCHEMAS[stage] !== undefined))('are valid at %s, and differ', async (stage) => {
    const seen = new Set<string>();
    await property(
      contexts.xact({ stage }),
      ({ message }) => {
        seen.add(JSON.stringify(message));
        return STAGE_SCHEMAS[stage]!.safeParse(message).success;
      },
      { runs: 50, seed: 1 },
    );
    expect(seen.size).toBeGreaterThan(40);
  });

  it('reach every value of a field, and keep what is fixed', async () => {
    const statuses = new Set<string>();
    const types = new Set<string>();
    await property(
      contexts.xact({ message: { file_type: 'ESX' } }),
      ({ message }) => {
        statuses.add(message.status);
        types.add(message.file_type);
      },
      { seed: 2 },
    );
    expect([...statuses].sort()).toEqual(['completed', 'failed', 'failed_permanent']);
    expect([...types]).toEqual(['ESX']);
  });

  it('find what a plugin does not promise', async () => {
    const alertsAboveTwo = (least: number) =>
      property(
        contexts.xact({ message: { status: 'failed_permanent' } }),
        async (context) => {
          const { actions } = await runPlugin(failureAlerter({ min_retries: 3 }), context);
          return actions.length === (context.retry_count >= least ? 1 : 0);
        },
        { seed: 3, runs: 500 },
      );
    await alertsAboveTwo(3);
    await expect(alertsAboveTwo(4)).rejects.toThrow(/Counterexample.*retry_count":3/s);
  });
});

describe('property', () => {
  const numbers = fromSchema(z.int());
  it('fails for what is false, throws or rejects; not for what says nothing', async () => {
    await property(numbers, () => undefined);
    await expect(property(numbers, () => false)).rejects.toThrow(/Property failed/);
    await expect(
      property(numbers, () => {
        throw new Error('thrown');
      }),
    ).rejects.toThrow(/thrown|Property failed/);
    await expect(property(numbers, () => Promise.resolve(false))).rejects.toThrow(/Property failed/);
  });
});

describe('values by a schema', () => {
  it.each<[string, z.ZodType]>([
    ['objects', z.strictObject({ a: z.string(), b: z.int().optional(), c: z.boolean().nullable() })],
    ['lists and tuples', z.tuple([z.array(z.number()), z.literal(['x', 'y'])])],
    ['enums and unions', z.union([z.enum(['a', 'b']), z.null(), z.undefined(), z.date()])],
    ['maps', z.record(z.string(), z.number())],
    ['defaults', z.object({ a: z.string().default('x'), b: z.array(z.string()).prefault([]) })],
    [
      'what refers to itself',
      z.object({
        get next() {
          return z.unknown().optional();
        },
      }),
    ],
    ['lazy ones, and read-only ones', z.lazy(() => z.object({ a: z.string() }).readonly())],
    ['anything', z.unknown()],
  ])('%s', (_, schema) => property(fromSchema(schema), (value) => schema.safeParse(value).success, { runs: 50 }));
});
