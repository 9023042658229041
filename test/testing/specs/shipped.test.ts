import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { builtIns } from '../../../plugins/index.js';
import {
  type CaseResult,
  Configurations,
  findSpecs,
  readSpec,
  RuleCoverage,
  runCase,
  runMutants,
  specJsonSchema,
  tellCase,
} from '../../../src/testing/specs/index.js';
import { LANE_PATTERN, laneFault } from '../../../src/testing/specs/lane-names.js';
import { folderWith } from './folder.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));

describe('the specs that ship', () => {
  const files = findSpecs('marbles', root) ?? [];

  it('name the schema that editors complete with', () => {
    expect(files.length).toBeGreaterThan(5);
    for (const file of files) {
      const schema = /^# yaml-language-server: \$schema=(\S+)$/m.exec(readFileSync(file, 'utf8'))?.[1];
      expect(schema, file).toBeDefined();
      expect(relative(root, resolve(dirname(file), schema!))).toBe('schema/marbles.json');
    }
    expect(existsSync(join(root, 'schema/marbles.json'))).toBe(true);
  });

  it('make every rule of the shipped configuration happen, and notice every mistake in it', async () => {
    const configurations = new Configurations({ catalogue: builtIns, cwd: root });
    const coverage = new RuleCoverage(configurations);
    const results: CaseResult[] = [];
    const configs = new Set<string>();
    for (const file of files) {
      const spec = await readSpec(file, { cwd: root });
      expect(spec.diagnostics).toEqual([]);
      if (spec.config !== undefined) configs.add(relative(root, spec.config.path));
      for (const one of spec.cases) {
        const result = await runCase(one, { configurations, watch: await coverage.watch(one) });
        expect(result.passed, tellCase(result).join('\n')).toBe(true);
        await coverage.ended(result);
        results.push(result);
      }
    }
    const unseen = coverage.report().rules.filter(({ seen }) => Object.values(seen).includes(0));
    expect(unseen.map(({ place, plugin, text }) => `${place.file}:${place.line} ${plugin} ${text}`)).toEqual([]);
    const mutants = await runMutants(results, { catalogue: builtIns, cwd: root });
    expect(mutants.length).toBeGreaterThan(20);
    const alive = mutants.filter(({ state }) => state === 'survived' || state === 'unplayed');
    expect(alive.map(({ mutant: { place, plugin, text } }) => `${place.file}:${place.line} ${plugin} ${text}`)).toEqual([]);
    // Those of a domain that does not run wait for it.
    const shipped = readdirSync(join(root, 'config')).filter((name) => !/^(connections|claimx_plugins)\.yaml$/.test(name));
    expect(shipped.filter((name) => !configs.has(`config/${name}`))).toEqual([]);
  }, 120_000);
});

describe('the schema of specs', () => {
  it('is fresh', async () => {
    await expect(`${JSON.stringify(specJsonSchema(), null, 2)}\n`).toMatchFileSnapshot(join(root, 'schema/marbles.json'));
  });
});

describe('the names of lanes', () => {
  it('are the same to editors and to the reader', () => {
    const names = [
      'out',
      'filtered',
      'failed',
      'delivered',
      'log',
      'publish a.b',
      'webhook POST https://x.y/z',
      'metric a_b',
      'header',
      'email',
    ];
    const wrong = [
      '',
      'outt',
      'in',
      'sub',
      'publish',
      'publish a b',
      'webhook https://x.y',
      'webhook post https://x.y',
      'webhook POST',
      'metric',
      'commit',
    ];
    for (const name of [...names, ...wrong]) {
      expect(new RegExp(LANE_PATTERN).test(name), name).toBe(names.includes(name));
      expect(laneFault(name) === undefined, name).toBe(names.includes(name));
    }
  });
});

const RULES = `plugins:
  - name: event_filter
    config: { pattern: "test.*" }
  - name: esx_processor
  - name: failure_alerter
`;

const TEN_LINES = `config: rules.yaml
stage: result_process
messages: { e: { file_type: ESX }, f: { status: failed_permanent, retry_count: 3 }, t: { $stage: event_ingest, type: test.x } }
cases:
  - name: a completed ESX goes to its queue, a failure after 3 retries alerts once, a test event is filtered
    in: 'e-f-t|'
    expect: { out: 'e-f--|', filtered: '----t',
      publish xact.esx.processing: 'e',
      publish xact.alerts.failures: '--f' }
`;

describe('a file of ten lines', () => {
  it('is enough for a queue, an alert and a filter; an edited threshold fails it, with the lane and its place', async () => {
    expect(TEN_LINES.trimEnd().split('\n').length).toBeLessThanOrEqual(10);
    const folder = folderWith({ 'rules.yaml': RULES, 'a.marbles.yaml': TEN_LINES });
    const play = async (): Promise<CaseResult> => {
      const [one] = (await readSpec(join(folder, 'a.marbles.yaml'), { cwd: folder })).cases;
      return await runCase(one!, { configurations: new Configurations({ catalogue: builtIns, cwd: folder }) });
    };
    expect(await play()).toMatchObject({ passed: true, diagnostics: [] });
    writeFileSync(join(folder, 'rules.yaml'), `${RULES}    config: { min_retries: 4 }\n`);
    const failed = await play();
    expect(failed.passed).toBe(false);
    expect(tellCase(failed).join('\n')).toBe(
      [
        'a.marbles.yaml:9:40  lane "publish xact.alerts.failures"',
        '  in        e-f-t|',
        '  expected  --f',
        '  received  nothing',
        '  - missing  f@2ms',
        '  plugins: event_filter filter 1 · esx_processor skip 1, act 1 · failure_alerter skip 2',
      ].join('\n'),
    );
  });
});
