// The tables that the readers read, and what they must find: `node tables.mjs make DIR`, `node tables.mjs compare DIR READER < OUTPUT`.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openTable, parquetEncoder } from './target/built/src/storage/delta/index.js';
import { XACT_EVENTS } from './target/built/src/domains/xact/tables.js';

const [, , command, directory, reader] = process.argv;
const column = (name, type) => ({ name, type, about: `The ${name}.` });
const schema = (name, columns, rest = {}) => ({
  name,
  about: 'For the readers.',
  columns: Object.entries(columns).map(([each, type]) => column(each, type)),
  partitionBy: [],
  mode: 'append',
  key: [],
  preserveOnUpdate: [],
  ...rest,
});

/** Numbers that look random and are the same in every run. */
function drawer(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const ALL = { id: 'text', n: 'int64', x: 'double', ok: 'boolean', at: 'timestamp', day: 'date', place: 'text' };
const EDGES = [
  {
    id: 'extremes',
    n: 2n ** 63n - 1n,
    x: Number.MAX_VALUE,
    ok: true,
    at: '9999-12-31T23:59:59.999999Z',
    day: '9999-12-31',
    place: 'a b/c=d%25:é',
  },
  {
    id: 'lowest',
    n: -(2n ** 63n),
    x: -Number.MAX_VALUE,
    ok: false,
    at: '0001-01-01T00:00:00.000000Z',
    day: '0001-01-01',
    place: 'a b/c=d%25:é',
  },
  { id: '🦆 emoji \u{10FFFF}\uFFFD', n: 0, x: Number.NaN, ok: true, at: '1969-12-31T23:59:59.999999Z', day: '1969-12-31', place: null },
  { id: '', n: -1, x: Number.POSITIVE_INFINITY, ok: false, at: '1970-01-01T00:00:00.000001Z', day: '1970-01-01', place: 'plain' },
  { id: 'nothing else', place: 'plain' },
  { id: null, n: 2 ** 53 - 1, x: Number.NEGATIVE_INFINITY, at: '2031-05-06T07:08:09.123456Z', day: '2031-05-06', place: '🦆' },
  { id: 'a\u0000b\n"\\', n: 1, x: -0, ok: true, at: '2031-02-28T23:59:59.9Z', day: '2032-02-29', place: '..' },
  {
    id: 'x'.repeat(40),
    n: 9_007_199_254_740_993n,
    x: 5e-324,
    at: new Date('1582-10-04T00:00:00Z'),
    day: '1582-10-04',
    place: `${'long'.repeat(80)}`,
  },
  { id: `${'é'.repeat(31)}\u{1F600}z`, n: 7, x: 0.1, place: 'tab\tnew\nline' },
];

const MADE = {
  async edges(path) {
    const encoder = parquetEncoder({ compression: 'zstd' });
    const table = await openTable({
      directory: path,
      schema: schema('edges', ALL, { partitionBy: ['place'] }),
      encoder,
      checkpointEvery: 4,
    });
    for (const [at, row] of EDGES.entries()) await table.commit({ rows: [row], txns: [{ appId: 'log/edges/0', version: at + 1 }] });
    await table.commit({ rows: EDGES, txns: [] });
    await table.close();
    await encoder.close();
    return [...EDGES, ...EDGES];
  },
  async 'edges-snappy'(path) {
    const encoder = parquetEncoder({ compression: 'snappy' });
    const table = await openTable({ directory: path, schema: schema('edges_snappy', ALL), encoder });
    await table.commit({ rows: EDGES, txns: [] });
    await table.close();
    await encoder.close();
    return EDGES;
  },
  async 'all null, and nothing'(path) {
    const table = await openTable({ directory: path, schema: schema('nulls', ALL) });
    await table.commit({ rows: [{}, {}], txns: [] });
    await table.commit({ rows: [], txns: [{ appId: 'a', version: 1 }] });
    await table.close();
    return [{}, {}];
  },
  async 'two partitions'(path) {
    const columns = { id: 'int64', day: 'date', n: 'int64', ok: 'boolean', text: 'text' };
    const table = await openTable({ directory: path, schema: schema('two_partitions', columns, { partitionBy: ['day', 'n', 'ok'] }) });
    const rows = [];
    for (let id = 0; id < 60; id += 1) {
      rows.push({
        id,
        day: [null, '2031-01-01', '1969-12-31'][id % 3],
        n: [null, -(2n ** 63n), 5, 0][id % 4],
        ok: [null, true, false][id % 5 > 2 ? 0 : (id % 5) % 3],
        text: `row ${String(id)}`,
      });
    }
    await table.commit({ rows, txns: [] });
    await table.close();
    return rows;
  },
  async merged(path) {
    const columns = { id: 'text', n: 'int64', at: 'timestamp', created_at: 'timestamp' };
    const table = await openTable({
      directory: path,
      schema: schema('merged', columns, { mode: 'merge', key: ['id'], preserveOnUpdate: ['created_at'] }),
      checkpointEvery: 5,
    });
    const draw = drawer(11);
    const model = new Map();
    for (let round = 0; round < 23; round += 1) {
      const rows = [];
      for (let i = 0; i < 6; i += 1) {
        const row = {
          id: `key ${String(draw(25))}`,
          n: draw(3) === 0 ? null : draw(1000),
          at: `2031-01-01T00:00:00.${String(draw(1_000_000)).padStart(6, '0')}Z`,
          created_at: `1969-12-31T23:59:59.${String(draw(1_000_000)).padStart(6, '0')}Z`,
        };
        if (rows.some(({ id }) => id === row.id)) continue;
        rows.push(row);
        const stored = model.get(row.id);
        if (stored === undefined) model.set(row.id, { ...row });
        else Object.assign(stored, { n: row.n ?? stored.n, at: row.at });
      }
      await table.commit({ rows, txns: [{ appId: 'merges', version: round + 1 }] });
    }
    await table.close();
    return [...model.values()];
  },
  async 'inserted once'(path) {
    const table = await openTable({
      directory: path,
      schema: schema('inserted_once', { id: 'text', n: 'int64' }, { mode: 'insert_if_absent', key: ['id'] }),
    });
    const rows = Array.from({ length: 300 }, (_, n) => ({ id: `id ${String(n % 100)}`, n }));
    for (let start = 0; start < rows.length; start += 50) await table.commit({ rows: rows.slice(start, start + 50), txns: [] });
    await table.close();
    return rows.slice(0, 100);
  },
  async 'checkpointed, older commits gone'(path) {
    const columns = { id: 'int64', text: 'text', day: 'date' };
    const table = await openTable({
      directory: path,
      schema: schema('checkpointed', columns, { partitionBy: ['day'] }),
      checkpointEvery: 10,
    });
    const rows = [];
    for (let id = 0; id < 34; id += 1) {
      const row = { id, text: `text ${String(id)} é🦆`, day: `2031-01-0${String((id % 9) + 1)}` };
      rows.push(row);
      await table.commit({ rows: [row], txns: [{ appId: `app ${String(id % 3)}`, version: id }] });
    }
    await table.close();
    const log = join(path, '_delta_log');
    for (const name of await readdir(log)) if (name.endsWith('.json') && Number.parseInt(name, 10) < 30) await rm(join(log, name));
    return rows;
  },
  async 'large texts'(path) {
    const table = await openTable({ directory: path, schema: schema('large', { id: 'int64', text: 'text', few: 'text' }) });
    const draw = drawer(5);
    const rows = Array.from({ length: 2500 }, (_, id) => ({
      id,
      text:
        Array.from({ length: draw(id === 7 ? 1 : 300) }, () => String.fromCodePoint(32 + (draw(id % 3 === 0 ? 90 : 60_000) % 55_000))).join(
          '',
        ) + (id === 7 ? 'y'.repeat(200_000) : ''),
      few: ['one', 'two', null, '🦆'][id % 4],
    }));
    await table.commit({ rows, txns: [] });
    await table.close();
    return rows;
  },
  async 'xact events'(path) {
    const table = await openTable({ directory: path, schema: XACT_EVENTS });
    const draw = drawer(3);
    const rows = Array.from({ length: 400 }, (_, n) => {
      const row = {};
      for (const { name, type } of XACT_EVENTS.columns) {
        if (draw(6) === 0) row[name] = null;
        else if (type === 'timestamp') row[name] = `2031-0${String(1 + draw(9))}-11T01:02:03.${String(draw(1_000_000)).padStart(6, '0')}Z`;
        else if (type === 'date') row[name] = `2031-01-0${String(1 + draw(3))}`;
        else row[name] = `${name} ${String(draw(50))}`;
      }
      return { ...row, trace_id: `trace ${String(n)}` };
    });
    for (let start = 0; start < rows.length; start += 100) await table.commit({ rows: rows.slice(start, start + 100), txns: [] });
    await table.close();
    return rows;
  },
};

const bits = new DataView(new ArrayBuffer(8));

/** A cell as the readers print it. */
function printed(type, cell) {
  if (cell === null || cell === undefined) return null;
  switch (type) {
    case 'double':
      bits.setFloat64(0, Number.isNaN(cell) ? Number.NaN : cell);
      return bits.getBigUint64(0).toString(16);
    case 'timestamp':
      return micros(cell instanceof Date ? cell.toISOString() : cell);
    case 'date':
      return String(Date.parse(`${cell}T00:00:00Z`) / 86_400_000);
    default:
      return String(cell);
  }
}

function micros(text) {
  const fraction = /\.(\d+)Z$/.exec(text)?.[1] ?? '';
  return String(BigInt(Date.parse(text.replace(/\.\d+Z$/, 'Z'))) * 1000n + BigInt(fraction.padEnd(6, '0')));
}

function print(columns, rows) {
  return rows.map((row) => JSON.stringify(columns.map(({ name, type }) => printed(type, row[name])))).sort();
}

async function make() {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const expected = [];
  for (const [name, build] of Object.entries(MADE)) {
    const path = join(directory, name.replaceAll(/[^a-z]+/g, '-'));
    const rows = await build(path);
    const columns = await columnsOf(path);
    expected.push({ name, path, columns: columns.map((each) => each.name), rows: print(columns, rows) });
  }
  await writeFile(join(directory, 'expected.json'), JSON.stringify(expected));
  console.log(expected.map(({ path }) => path).join('\n'));
}

/** The columns as the log says them: of the first commit, or of the checkpoint when that is gone. */
async function columnsOf(path) {
  const types = { string: 'text', long: 'int64', double: 'double', boolean: 'boolean', timestamp: 'timestamp', date: 'date' };
  const log = join(path, '_delta_log');
  const names = (await readdir(log)).sort();
  let metaData;
  for (const name of names.filter((each) => each.endsWith('.json') && /^\d/.test(each))) {
    for (const line of (await readFile(join(log, name), 'utf8')).trim().split('\n')) metaData ??= JSON.parse(line).metaData;
  }
  if (metaData === undefined) {
    const encoder = parquetEncoder();
    const checkpoint = names.findLast((name) => name.endsWith('.checkpoint.parquet'));
    metaData = (await encoder.decodeCheckpoint(await readFile(join(log, checkpoint)))).find(
      (action) => action.metaData !== undefined,
    ).metaData;
    await encoder.close();
  }
  return JSON.parse(metaData.schemaString).fields.map(({ name, type }) => ({ name, type: types[type] }));
}

/** Compares what a reader printed (standard input) with what was written. */
async function compare() {
  const expected = JSON.parse(await readFile(join(directory, 'expected.json'), 'utf8'));
  const found = new Map();
  let current;
  for (const line of (await readAll(process.stdin)).split('\n')) {
    if (line.startsWith('# ')) found.set(line.slice(2), (current = { columns: [], rows: [] }));
    else if (line.startsWith('@ ')) current.columns = line.slice(2).split(',');
    else if (line !== '') current.rows.push(JSON.parse(line));
  }
  let passed = 0;
  let failed = 0;
  for (const { name, path, columns, rows } of expected) {
    const read = found.get(path);
    const fault = read === undefined ? 'was not read' : differences(columns, rows, read);
    if (fault === undefined) passed += 1;
    else failed += 1;
    console.log(
      `${fault === undefined ? 'ok  ' : 'FAIL'} ${reader}: ${name}, ${String(rows.length)} rows${fault === undefined ? '' : `: ${fault}`}`,
    );
  }
  console.log(`${String(passed)} ${String(failed)}`);
}

function differences(columns, rows, read) {
  if (columns.length !== read.columns.length || columns.some((each) => !read.columns.includes(each)))
    return `columns ${read.columns.join()}`;
  if (rows.length !== read.rows.length) return `has ${String(read.rows.length)} rows`;
  const at = columns.map((each) => read.columns.indexOf(each));
  const seen = read.rows.map((row) => JSON.stringify(at.map((place) => row[place]))).sort();
  const wrong = seen.findIndex((row, i) => row !== rows[i]);
  return wrong < 0 ? undefined : `expected ${rows[wrong].slice(0, 300)}, read ${seen[wrong].slice(0, 300)}`;
}

async function readAll(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** Writes to a table after somebody else has: their keys count, and those they deleted may come again. */
async function again() {
  const table = await openTable({
    directory,
    schema: schema('inserted_once', { id: 'text', n: 'int64' }, { mode: 'insert_if_absent', key: ['id'] }),
  });
  const { written } = await table.commit({ rows: ['id 1', 'id 7', 'theirs', 'new', 'newer'].map((id) => ({ id, n: 1 })), txns: [] });
  await table.close();
  if (written !== 3) throw new Error(`expected to write 3 rows, wrote ${String(written)}`);
}

await { make, compare, again }[command]();
