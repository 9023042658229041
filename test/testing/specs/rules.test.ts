import { describe, expect, it } from 'vitest';
import { builtIns } from '../../../plugins/index.js';
import { type CaseResult, RuleCoverage, runCase, runMutants } from '../../../src/testing/specs/index.js';
import { opened } from './folder.js';

const RULES = `plugins:
  - name: event_filter
    config: { pattern: "test.*" }
  - name: esx_processor
    conditions:
      all:
        - { field: message.retry_count, lte: 1 }
        - not: [{ field: message.assignment_id, in: [X, Y] }]
    config: { topic: [esx, esx.copy] }
  - name: failure_alerter
    when: 'retry_count >= 3 && (http_status == 404 || !(trace_id == "t-9"))'
    config: { topic: alerts, min_retries: 3, high_retries: 9 }
  - name: hook
    type: webhook_notification
    stages: [result_process]
    event_types: [a.b, "c.d"]
    config: { webhook_url: "https://hooks.example.com/x" }
  - name: asleep
    type: audit_logger
    enabled: false
`;

const HEAD = `config: own.yaml
stage: result_process
messages:
  e: { file_type: esx }
  f: { status: failed_permanent, retry_count: 3 }
  t: { $stage: event_ingest, type: test.x }
cases:
`;

async function results(cases: string) {
  const { folder, spec, configurations } = await opened(HEAD + cases, { 'own.yaml': RULES });
  expect(spec.diagnostics).toEqual([]);
  const coverage = new RuleCoverage(configurations);
  const played: CaseResult[] = [];
  for (const one of spec.cases) {
    const result = await runCase(one, { configurations, watch: await coverage.watch(one) });
    expect(result.problems.map(({ text }) => text)).toEqual([]);
    await coverage.ended(result);
    played.push(result);
  }
  return { folder, played, report: coverage.report() };
}

describe('rules that cases make happen', () => {
  it('are conditions true and false, routes taken and filters, each at its place', async () => {
    const { report } = await results(`  - name: one message
    in: 'eft|'
    expect: { out: 'ef-|', publish esx: e, publish esx.copy: e, publish alerts: '-f', filtered: '--t' }
`);
    expect(report.plugins).toEqual({ enabled: 4, disabled: 1 });
    const at = ({ place, plugin, text, seen }: (typeof report.rules)[number]) =>
      `${place.line}:${place.column} ${plugin} ${text} ${JSON.stringify(seen)}`;
    expect(report.rules.map(at)).toEqual([
      '2:11 event_filter filters {"taken":1}',
      '7:11 esx_processor message.retry_count lte 1 {"true":1,"false":1}',
      '8:17 esx_processor message.assignment_id in ["X","Y"] {"true":0,"false":2}',
      '9:23 esx_processor publish esx {"taken":1}',
      '9:28 esx_processor publish esx.copy {"taken":1}',
      '11:12 failure_alerter retry_count >= 3 {"true":1,"false":1}',
      '11:33 failure_alerter http_status == 404 {"true":0,"false":2}',
      '11:57 failure_alerter trace_id == "t-9" {"true":0,"false":2}',
      '12:22 failure_alerter publish alerts {"taken":1}',
      '16:19 hook event_type == "a.b" {"true":0,"false":2}',
      '16:24 hook event_type == "c.d" {"true":0,"false":2}',
      '17:28 hook webhook https://hooks.example.com/x {"taken":0}',
    ]);
    expect(report.points).toEqual({ all: 19, seen: 13 });
  });

  it('are those of the files: what a case changes is not one of them', async () => {
    const { report } = await results(`  - name: another topic
    with: { plugins: { failure_alerter: { config: { topic: other } } } }
    in: 'f|'
    expect: { out: 'f|', publish other: f }
`);
    expect(report.rules.find(({ text }) => text === 'publish alerts')?.seen).toEqual({ taken: 0 });
    expect(report.rules.find(({ text }) => text === 'retry_count >= 3')?.seen).toEqual({ true: 1, false: 0 });
  });
});

const mutants = async (cases: string) => {
  const { folder, played } = await results(cases);
  const found = await runMutants(played, { catalogue: builtIns, cwd: folder });
  return found.map(({ mutant: { place, plugin, text }, state }) => `${place.line}:${place.column} ${plugin} ${text} = ${state}`);
};

describe('mutants', () => {
  const WHOLE = `  - name: whole
    messages:
      a: { $like: e, retry_count: 1 }
      b: { $like: e, retry_count: 2 }
      x: { $like: e, assignment_id: X }
      y: { $like: e, assignment_id: Y }
      g: { $like: f, retry_count: 9, http_status: 404, trace_id: t-9 }
      h: { $like: f, trace_id: t-9 }
      l: { $like: f, retry_count: 2 }
      u: { $stage: event_ingest, type: other.x }
      p: { $context: { event_type: a.b } }
      q: { $context: { event_type: c.d } }
    in: 'eabxyfghltupq|'
    ignore: [out]
    expect:
      filtered: '---------t'
      publish esx: 'ea'
      publish esx.copy: 'ea'
      publish alerts: { marbles: '-----fg', content: { f: { severity: medium }, g: { severity: high } } }
      webhook POST https://hooks.example.com/x: '-----------pq'
`;

  it('are mistakes in conditions, expressions, config and order, each at its place', async () => {
    expect(await mutants(WHOLE)).toMatchInlineSnapshot(`
      [
        "2:11 event_filter enabled: true → false = killed",
        "3:24 event_filter pattern: test.* → test.*-other = killed",
        "4:11 esx_processor enabled: true → false = killed",
        "6:7 esx_processor all → any = killed",
        "7:11 esx_processor message.retry_count lte 1 → gt = killed",
        "7:11 esx_processor message.retry_count lte 1 → lt = killed",
        "7:46 esx_processor message.retry_count lte 1 → 2 = killed",
        "7:46 esx_processor message.retry_count lte 1 → 0 = killed",
        "8:17 esx_processor message.assignment_id in ["X","Y"] → not_in = killed",
        "8:54 esx_processor in: without X = killed",
        "8:57 esx_processor in: without Y = killed",
        "9:23 esx_processor topic: without esx = killed",
        "9:23 esx_processor topic: esx → esx.elsewhere = killed",
        "9:28 esx_processor topic: without esx.copy = killed",
        "9:28 esx_processor topic: esx.copy → esx.copy.elsewhere = killed",
        "10:11 failure_alerter enabled: true → false = killed",
        "11:24 failure_alerter >= → < in retry_count >= 3 = killed",
        "11:24 failure_alerter >= → > in retry_count >= 3 = killed",
        "11:27 failure_alerter 3 → 4 in retry_count >= 3 = killed",
        "11:27 failure_alerter 3 → 2 in retry_count >= 3 = survived",
        "11:29 failure_alerter && → || in retry_count >= 3 && (http_status == 404 || !(trace_id == "t-9")) = killed",
        "11:45 failure_alerter == → != in http_status == 404 = killed",
        "11:48 failure_alerter 404 → 405 in http_status == 404 = killed",
        "11:48 failure_alerter 404 → 403 in http_status == 404 = killed",
        "11:52 failure_alerter || → && in http_status == 404 || !(trace_id == "t-9") = killed",
        "11:66 failure_alerter == → != in trace_id == "t-9" = killed",
        "12:22 failure_alerter topic: alerts → alerts.elsewhere = killed",
        "12:43 failure_alerter min_retries: 3 → 4 = killed",
        "12:43 failure_alerter min_retries: 3 → 2 = survived",
        "12:60 failure_alerter high_retries: 9 → 10 = killed",
        "12:60 failure_alerter high_retries: 9 → 8 = survived",
        "13:11 hook enabled: true → false = killed",
        "16:19 hook a.b → another type = killed",
        "16:24 hook c.d → another type = killed",
        "17:28 hook webhook_url: https://hooks.example.com/x → https://hooks.example.com/x/elsewhere = killed",
      ]
    `);
  }, 60_000);

  it('that no case notices are told, and those of plugins that no case plays', async () => {
    const found = await mutants(`  - name: little
    in: 'f|'
    ignore: [out]
    expect: { publish alerts: f }
`);
    expect(found).toContain('12:43 failure_alerter min_retries: 3 → 2 = survived');
    expect(found).toContain('12:43 failure_alerter min_retries: 3 → 4 = killed');
    expect(found).toContain('2:11 event_filter enabled: true → false = unplayed');
    expect(found).toContain('10:11 failure_alerter enabled: true → false = killed');
    expect(found.some((text) => text.includes('asleep'))).toBe(false);
  });
});
