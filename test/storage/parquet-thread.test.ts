import { beforeAll, describe, expect, it } from 'vitest';
import type * as Delta from '../../src/storage/delta/index.js';
import { buildTables } from './built.js';
import { rowsOf, schemaOf, scratches } from './scratch.js';

const directoryOf = scratches();
const schema = schemaOf({ id: 'text', n: 'int64', at: 'timestamp' }, { mode: 'merge', key: ['id'] });

let built: typeof Delta;
beforeAll(async () => {
  built = (await import(await buildTables())) as typeof Delta;
}, 60_000);

describe('the encoder in its thread', () => {
  it('B6: writes, reads, merges and makes checkpoints, and the event loop goes on meanwhile', { timeout: 60_000 }, async () => {
    const { openTable } = built;
    const encoder = built.parquetEncoder({ run: 'thread' });
    const directory = directoryOf();
    const table = await openTable({ directory, schema, encoder, checkpointEvery: 2 });
    const rows = Array.from({ length: 20_000 }, (_, n) => ({
      id: `key ${String(n)} ${'x'.repeat(200)}`,
      n,
      at: '2031-01-01T00:00:00.000001Z',
    }));
    let turns = 0;
    const ticking = setInterval(() => (turns += 1), 1);
    await table.commit({ rows, txns: [] });
    clearInterval(ticking);
    expect(turns).toBeGreaterThan(3);
    await table.commit({
      rows: [
        { ...rows[7]!, n: -7 },
        { id: 'new', n: 1 },
      ],
      txns: [],
    });
    await table.close();
    const again = await openTable({ directory, schema, encoder });
    const read = await rowsOf(again);
    expect(read).toHaveLength(20_001);
    expect(read.find(({ id }) => id === rows[7]!.id)).toEqual({ ...rows[7]!, n: -7 });
    await again.close();
    await encoder.close();
  });

  it('that was closed, or stopped, starts again at the next call; what was under way fails', { timeout: 60_000 }, async () => {
    const encoder = built.parquetEncoder({ run: 'thread' });
    const batch = () => ({
      rows: 1,
      columns: [{ name: 'n', type: 'int64' as const, nullCount: 0, valid: undefined, values: new BigInt64Array([5n]), offsets: undefined }],
    });
    const bytes = await encoder.encode(batch());
    const underWay = encoder.encode(batch());
    await Promise.all([encoder.close(), expect(underWay).rejects.toMatchObject({ code: 'PS4108', category: 'transient' })]);
    const { columns } = await encoder.decode(bytes, [
      { name: 'n', type: 'int64' },
      { name: 'absent', type: 'text' },
    ]);
    expect(columns.map(({ nullCount }) => nullCount)).toEqual([0, 1]);
    expect(columns[0]!.values[0]).toBe(5n);
    await expect(encoder.decode(Buffer.from('no parquet'), [{ name: 'n', type: 'int64' }])).rejects.toMatchObject({ code: 'PS4108' });
    await encoder.close();
  });
});
