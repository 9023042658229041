import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SIMULATOR_HOSTS } from '../../src/simulator/index.js';
import { surroundings } from './support/data.js';
import { type Holdings, holdingsOf, reconcile } from './support/reconcile.js';
import { Workspace } from './support/workspace.js';

const HOST = `https://${SIMULATOR_HOSTS[0]}`;
let tokens = 100_000_000_000_000_000n;
const link = (name: string): string => `${HOST}/exports/x/${++tokens}/${name}`;

interface Given {
  readonly traceId?: unknown;
  readonly type?: unknown;
  readonly data?: unknown;
  readonly [member: string]: unknown;
}

let events = 0;
function event({ data, ...given }: Given = {}): Readonly<Record<string, unknown>> {
  return {
    type: 'verisk.claims.property.xn.documentsReceived',
    version: 1,
    utcDateTime: '2026-01-05T08:00:00Z',
    traceId: `trace-${++events}`,
    data: data === undefined ? { assignmentId: 'A1', attachments: [link('report.pdf')] } : data,
    ...given,
  };
}
const line = (given: Given = {}): Buffer => Buffer.from(JSON.stringify(event(given)));
const named = (...names: readonly string[]): Buffer => line({ data: { assignmentId: 'A1', attachments: names.map(link) } });

const HOSTILE_NAMES = [
  '../../../../../../tmp/outside.pdf',
  '..%2F..%2F..%2Fescape.pdf',
  '..\\..\\escape.pdf',
  'nul\u0000byte.pdf',
  'nul%00byte.pdf',
  'line\nbreak.pdf',
  `${'x'.repeat(4096)}.pdf`,
  `${'é'.repeat(300)}.pdf`,
  '..',
  '.',
  '...pdf',
  '.hidden',
  'ends-in-a-dot.',
  'no-extension',
  'CON.pdf',
  'right\u202efdp.pdf',
  '',
];
const HOSTILE_IDS = [
  '../../../outside',
  '..\\..\\outside',
  'a/b/c',
  'nul\u0000',
  '/etc/passwd',
  '..',
  '.',
  'y'.repeat(4096),
  ' ',
  '\u2028',
];

const CASES: Readonly<Record<string, readonly Buffer[]>> = {
  'malformed JSON': ['{', '{"type":', 'not JSON at all', '<event/>', '{"a":1}}', "{'a': 1}"].map((text) => Buffer.from(text)),
  'JSON that is no object': ['null', '17', '"text"', '[]', `[${line().toString()}]`].map((text) => Buffer.from(text)),
  'invalid UTF-8': [
    Buffer.concat([Buffer.from('{"type":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]),
    Buffer.concat([line().subarray(0, 30), Buffer.from([0xc3, 0x28]), line().subarray(30)]),
  ],
  'wrong types': [
    line({ type: 7 }),
    line({ type: { name: 'x' } }),
    line({ traceId: 12 }),
    line({ traceId: ['t'] }),
    line({ utcDateTime: 1_767_600_000 }),
    line({ data: 42 }),
    line({ data: [] }),
    line({ data: { assignmentId: 'A1', attachments: 'https://files.simulator.penstock.example/a.pdf' } }),
    line({ data: { assignmentId: 'A1', attachments: [null, 3, { url: 'x' }, link('good.pdf')] } }),
    line({ data: { assignmentId: 'A1', attachments: { 0: link('a.pdf') } } }),
    line({ version: { major: 1 } }),
  ],
  'missing fields': [
    line({ type: undefined }),
    line({ traceId: undefined }),
    line({ traceId: '   ' }),
    line({ data: undefined }),
    line({ utcDateTime: undefined }),
    line({ data: { attachments: [link('a.pdf')] } }),
    Buffer.from('{}'),
  ],
  'times that are none': [
    line({ utcDateTime: 'the day before yesterday' }),
    line({ utcDateTime: '2026-13-45T99:00:00Z' }),
    line({ utcDateTime: '' }),
  ],
  'unknown event types': [
    line({ type: 'undotted' }),
    line({ type: 'verisk.claims.property.xn.moonPhase' }),
    line({ type: '../../up' }),
    line({ type: 'a.' }),
  ],
  'hostile file names': HOSTILE_NAMES.map((name) => named(name)),
  'hostile ids': HOSTILE_IDS.flatMap((id) => [
    line({ data: { assignmentId: id, attachments: [link('report.pdf')] } }),
    line({ traceId: `${id}${++events}` }),
  ]),
  'two attachments with one name': [
    named('same.pdf', 'same.pdf'),
    named('same.pdf', 'same.pdf', 'same.pdf'),
    named('SAME.PDF', 'same.PDF'),
  ],
  'one attachment twice': [
    line({ data: { assignmentId: 'A1', attachments: ['a', 'a'].map(() => `${HOST}/exports/x/100000000000000777/twice.pdf`) } }),
  ],
  'refused links': [
    'https://elsewhere.example/a.pdf',
    'http://files.simulator.penstock.example/a.pdf',
    'https://127.0.0.1/a.pdf',
    'https://[::1]/a.pdf',
    'file:///etc/passwd',
    'javascript:alert(1)',
    ' ',
    'x'.repeat(20_000),
  ].map((url) => line({ data: { assignmentId: 'A1', attachments: [url, link('good.pdf')] } })),
  'deep and wide': [
    Buffer.from(`{"type":"a.b","traceId":"deep","data":${'{"a":'.repeat(2000)}1${'}'.repeat(2000)}}`),
    line({ data: { assignmentId: 'A1', note: 'n'.repeat(3_000_000), attachments: [link('large.pdf')] } }),
    line({ data: JSON.stringify({ assignmentId: 'A1', attachments: [link('text.pdf')] }) }),
    line({ data: '{"assignmentId":' }),
    Buffer.from(`{"__proto__":{"polluted":1},"constructor":{"prototype":{}},${line().toString().slice(1)}`),
  ],
  'lines of 10 MB': [line({ data: { assignmentId: 'A1', note: 'w'.repeat(10_000_000) } }), Buffer.alloc(10_000_000, 'z')],
  good: [line(), line(), named('photo.jpg', 'estimate.esx', 'list.csv')],
};

describe('bad input', () => {
  let place: Workspace;
  let holdings: Holdings;
  let counts: { readonly read: number; readonly ingested: number; readonly dead_lettered: number };
  const lines = Object.values(CASES).flat();
  const before = new Set<string>();

  beforeAll(async () => {
    place = await Workspace.open({
      faults: Object.fromEntries(
        ['missing', 'forbidden', 'unavailable', 'cut', 'slow', 'oversize', 'redirect', 'redirect_refused', 'impostor'].map((name) => [
          name,
          0,
        ]),
      ),
    });
    for (const path of await surroundings(place.folder, place.data)) before.add(path);
    counts = await place.ingest(lines);
    await place.untilIdle();
    holdings = await holdingsOf(place.data);
  }, 60_000);

  afterAll(async () => {
    await place.close();
    await rm('/tmp/outside.pdf', { force: true });
  });

  const tooLarge = (bytes: Buffer): boolean => bytes.length > 8 * 1024 * 1024;

  it('is counted line by line when it comes in', () => {
    const unfit = [CASES['malformed JSON']!, CASES['JSON that is no object']!, CASES['invalid UTF-8']!, CASES['lines of 10 MB']!].flat()
      .length;
    expect(counts).toEqual({ read: lines.length, ingested: lines.length - unfit, dead_lettered: unfit });
  });

  it.each(Object.entries(CASES))('L7: %s: each line is found again', (_, given) => {
    for (const [index, bytes] of given.entries()) {
      if (!tooLarge(bytes)) continue;
      const letter = holdings.deadLetters.find(({ original_value }) => original_value === bytes.toString('base64'));
      expect(letter, `line ${index}`).toMatchObject({ reason: 'too_large', worker: 'ingest' });
    }
    const small = given.filter((bytes) => !tooLarge(bytes));
    const own = { ...holdings, tables: {}, files: new Map() };
    // Only what belongs to these lines is asked for; rows and files of others are accounted for below.
    const about = (finding: string): boolean => finding.startsWith('line ');
    expect(reconcile({ ...own, tables: holdings.tables, files: holdings.files }, { lines: small }).filter(about)).toEqual([]);
  });

  it('leads to no row and no file that nobody sent', () => {
    expect(reconcile(holdings, { lines: lines.filter((bytes) => !tooLarge(bytes)) })).toEqual([]);
  });

  it('E11: every dead letter says why, and has the bytes', () => {
    expect(holdings.deadLetters.length).toBeGreaterThan(30);
    for (const letter of holdings.deadLetters) {
      expect(letter.final_error).not.toBe('');
      expect(letter.reason).not.toBe('');
      expect(letter.original_value).not.toBeNull();
    }
    const given = new Set(lines.map((bytes) => bytes.toString('base64')));
    for (const letter of holdings.deadLetters.filter(({ worker }) => /ingest|delta/.test(worker)))
      expect(given.has(letter.original_value!)).toBe(true);
  });

  it('E17: writes nothing outside the data directory, whatever the names', async () => {
    expect((await surroundings(place.folder, place.data)).filter((path) => !before.has(path))).toEqual([]);
    expect(await surroundings('/tmp', place.folder).catch(() => [])).not.toContain('/tmp/outside.pdf');
    for (const path of holdings.files.keys()) {
      const segments = path.split('/');
      expect(segments).toHaveLength(4);
      for (const segment of segments) {
        expect(segment).not.toMatch(/^\.{0,2}$|[\\\u0000-\u001f]/u);
        expect(Buffer.byteLength(segment)).toBeLessThanOrEqual(255);
      }
    }
    expect(holdings.files.size).toBeGreaterThan(40);
  });
});
