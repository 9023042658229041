import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DOMAINS, loadPipeline } from '../../src/config/index.js';
import { catalogue, named } from './catalogue.js';
import { folder, load, printed, XACT } from './folder.js';

const xact = (text: string, more: Readonly<Record<string, string>> = {}) =>
  load({ 'pipeline.yaml': XACT, 'xact_plugins.yaml': text, ...more });
const names = (loaded: Awaited<ReturnType<typeof load>>) => loaded.entries['xact']?.map(({ name, type }) => `${name}/${type}`);
const said = (loaded: Awaited<ReturnType<typeof load>>) =>
  loaded.diagnostics.map(({ line, column, code, message }) => `${line}:${column} ${code} ${message}`);

const withClaimx = DOMAINS.map((domain) => ({ ...domain, runs: true }));
const claimx = (cwd: string, env = {}) =>
  loadPipeline({
    configPath: 'pipeline.yaml',
    env,
    cwd,
    shapes: withClaimx,
    catalogue: { ...catalogue, task_trigger: named('task_trigger', ['claimx']) },
  });

describe('forms of plugin files', () => {
  it('a list: a name alone will do, and every key of an entry is read', async () => {
    const loaded = await xact(`plugins:
  - name: audit-logger
  - { name: mine, type: esx_processor, stages: UPLOAD_COMPLETE, event_types: ["*"], domains: [XACT], priority: -1, timeout: 250ms, retry: 5,
      circuit_breaker: true, rate_limit: 50/s, concurrency: 3, order: none, mode: background, required: true, before: audit-logger,
      after: [x, y], on_error: dlq, when: "true", version: ^1, description: d, owner: o, docs: u, isolation: none, x-ui: {x: 1} }
`);
    expect(printed(loaded)).toBe('');
    expect(names(loaded)).toEqual(['audit-logger/audit_logger', 'mine/esx_processor']);
    expect(loaded.entries['xact']?.[1]).toMatchObject({
      scope: 'domain',
      stages: ['upload_complete'],
      event_types: ['*'],
      domains: ['xact'],
      timeout: 250,
      retry: { attempts: 5, base: 1000, cap: 30_000 },
      circuit_breaker: { failures: 5, window: 60_000, open: 30_000, probes: 1 },
      rate_limit: { per_second: 50 },
      before: ['audit-logger'],
      after: ['x', 'y'],
      on_error: 'dlq',
      when: 'true',
    });
  });

  it('an entry that is wrong in how it is run has its config, its conditions and its name checked at once with the rest', async () => {
    const text = `plugins:
  - name: audit_logger
    priorty: 1
    when: true
    stages: [event_ingest]
    conditions: { any: [] }
  - { name: audit_logger, enabled: yes, mode: inlin }
`;
    const loaded = await xact(text);
    expect(said(loaded)).toEqual([
      expect.stringContaining('3:5 PS1103'),
      expect.stringContaining('4:11 PS1104'),
      expect.stringContaining('7:36 PS1104'),
      expect.stringContaining('7:47 PS1102'),
    ]);
    const named = await xact(text.replace('when: true', 'when: "true"'));
    expect(names(named)).toEqual(['audit_logger/audit_logger']);
    expect(named.entries['xact']?.[0]).toMatchObject({ stages: ['event_ingest'], conditions: { any: [] }, when: 'true' });
    expect(said(named).filter((line) => line.includes('PS1202'))).toHaveLength(1);
  });

  it('a directory: one plugin a sub-directory, in order of names, connections left out', async () => {
    const entry = (name: string) => `name: ${name}\ntype: esx_processor\n`;
    const pipeline = 'kafka: { xact: { plugins: { config_path: plugins } } }\n';
    const loaded = await load({
      'pipeline.yaml': pipeline,
      'plugins/zebra/config.yaml': entry('zebra'),
      'plugins/ant/plugin.yaml': entry('ant'),
      'plugins/deep/er/config.yaml': entry('deeper'),
      'plugins/both/config.yaml': entry('config'),
      'plugins/both/plugin.yaml': entry('plugin'),
      'plugins/connections/config.yaml': 'nonsense: 1\n',
      'plugins/list/config.yaml': 'plugins:\n  - name: audit_logger\n',
    });
    expect(printed(loaded)).toBe('');
    expect(names(loaded)).toEqual([
      'ant/esx_processor',
      'config/esx_processor',
      'deeper/esx_processor',
      'audit_logger/audit_logger',
      'zebra/esx_processor',
    ]);
    const empty = folder({ 'pipeline.yaml': pipeline });
    mkdirSync(join(empty, 'plugins'));
    expect(printed(await loadPipeline({ configPath: 'pipeline.yaml', env: {}, catalogue, cwd: empty }))).toContain('warning PS1002');
  });

  it('task triggers in their old form, in a file and in the pipeline file, with their own places', async () => {
    const triggers = `task_triggers:
  - name: legacy_roof
    include_project_data: true
    triggers: [ { task_id: 910001, name: Roof photos, on_assigned: { publish_to_topic: claimx.demo.roof-assigned } } ]
`;
    const cwd = folder({
      'pipeline.yaml': `kafka: { claimx: { plugins: { config_path: old.yaml } } }\nplugins:\n  ${triggers.replace('legacy_roof', 'inline_roof').replaceAll('\n', '\n  ').trimEnd()}\n`,
      'old.yaml': triggers,
    });
    const loaded = await claimx(cwd);
    expect(printed(loaded)).toBe('');
    const [inline, file] = loaded.entries['claimx']!;
    expect([inline?.name, inline?.scope, file?.name, file?.scope]).toEqual(['inline_roof', 'global', 'legacy_roof', 'domain']);
    expect(file).toMatchObject({
      type: 'task_trigger',
      config: {
        include_project_data: true,
        triggers: { 910001: { name: 'Roof photos', on_assigned: { publish_to_topic: 'claimx.demo.roof-assigned' } } },
      },
    });
    expect(file?.at(['config', 'triggers', '910001', 'name'])).toMatchObject({ file: 'old.yaml', line: 4, column: 42 });
  });

  it('entries in the pipeline file itself, global ones before those of a domain', async () => {
    const loaded = await load({
      'pipeline.yaml':
        'kafka:\n  xact:\n    plugins:\n      plugins:\n        - name: esx_processor\n          config: { topic: "${TOPIC:-t}" }\nplugins:\n  - name: audit_logger\n',
    });
    expect(printed(loaded)).toBe('');
    expect(names(loaded)).toEqual(['audit_logger/audit_logger', 'esx_processor/esx_processor']);
    expect(loaded.entries['xact']?.[1]?.config).toEqual({ topic: 't' });
  });

  it('F6: an entry nested under "plugin:" is an error, in a list and in a file of its own', async () => {
    expect(said(await xact('plugins:\n  - plugin:\n      name: audit_logger\n'))).toEqual([
      '2:5 PS1103 this entry is nested under "plugin:"',
    ]);
    const loaded = await xact('plugin:\n  name: status_trigger\n  module: plugins.xact.status_trigger\n');
    expect(said(loaded)).toEqual(['1:1 PS1103 this entry is nested under "plugin:"']);
    expect(printed(loaded)).toContain('take "plugin:" away');
  });

  it('an empty file is a warning, a list that is none and an unknown key are errors', async () => {
    expect(said(await xact('# nothing\n'))).toEqual(['1:1 PS1101 the file holds no plugins']);
    expect((await xact('')).diagnostics).toMatchObject([{ severity: 'warning' }]);
    expect(said(await xact('plugins:\n'))).toEqual([]);
    expect(said(await xact('plugins: { name: a }\n'))).toEqual(['1:10 PS1104 plugins must be a list']);
    expect(said(await xact('pluggins: []\n'))).toEqual(['1:1 PS1103 the plugins file has no key "pluggins"']);
    expect(printed(await xact('connections: {}\n'))).toContain('connections have a file of their own');
  });

  it('places reach into a text', async () => {
    const loaded = await xact('plugins:\n  - name: esx_processor\n    when: status == 3\n    description: "a b"\n');
    const [entry] = loaded.entries['xact']!;
    expect(entry?.at(['when'], 'value', 7)).toMatchObject({ line: 3, column: 18 });
    expect(entry?.at(['description'], 'value', 2)).toMatchObject({ line: 4, column: 21 });
    expect(entry?.at([])).toMatchObject({ line: 2, column: 11 });
    expect(entry?.at(['when'], 'key')).toMatchObject({ line: 3, column: 5 });
  });
});

describe('which plugin is meant', () => {
  it.each([
    ['module: kafka_pipeline.plugins.audit, class: AuditLoggerPlugin', 'audit_logger'],
    ['module: plugins.event-filter, class: EventFilterPlugin', 'event_filter'],
    ['module: kafka_pipeline.plugins.xact.esx_processor', 'esx_processor'],
    ['module: penstock/plugins/status-subtype-router', 'status_subtype_router'],
    ['module: penstock/plugins, type: esx-processor', 'esx_processor'],
    ['class: EventFilterPlugin', 'event_filter'],
    ['type: Failure-Alerter', 'failure_alerter'],
    ['module: old.place.generic_alerter', 'generic_alerter'],
  ])('{ %s } is %s', async (keys, type) => {
    const files = {
      'pipeline.yaml': `${XACT}module_aliases: { old.place: penstock/plugins }\n`,
      'xact_plugins.yaml': `plugins:\n  - { name: n, ${keys} }\n`,
    };
    const loaded = await load(files);
    expect(printed(loaded)).toBe('');
    expect(names(loaded)).toEqual([`n/${type}`]);
  });

  it('an unknown plugin is named where it is written', async () => {
    const loaded = await xact(
      'plugins:\n  - { name: n, type: esx_procesor }\n  - { name: m, class: AuditPlugin }\n  - { name: o, module: kafka_pipeline.plugins.audti_logger }\n  - { name: off, enabled: false, type: later }\n',
    );
    expect(said(loaded)).toEqual([
      '2:22 PS1203 no plugin is called "esx_procesor"',
      '3:23 PS1203 no plugin is called "AuditPlugin"',
      '4:24 PS1203 no plugin is called "audti_logger"',
    ]);
  });

  it('an unknown plugin is named although its entry is wrong elsewhere', async () => {
    const loaded = await xact('plugins:\n  - { name: esx_procesor, priorty: 3 }\n  - { name: esx_processor, priorty: 3 }\n');
    expect(said(loaded)).toEqual([
      '2:13 PS1203 no plugin is called "esx_procesor"',
      '2:27 PS1103 a plugin entry has no key "priorty"',
      '3:28 PS1103 a plugin entry has no key "priorty"',
    ]);
  });

  it('F5: two plugins of one name are an error, across files and spellings; in different domains they are not', async () => {
    const files = { 'plugins.yaml': 'plugins:\n  - name: audit_logger\n' };
    const loaded = await xact('plugins:\n  - name: Audit-Logger\n', files);
    expect(printed(loaded)).toBe(
      'xact_plugins.yaml:2:11 error PS1202 two plugins of xact are called "Audit-Logger"\n' +
        '  = help: the other stands at plugins.yaml:2; give this one a name of its own and write type: audit_logger\n',
    );
    const cwd = folder({
      'pipeline.yaml': 'kafka: { xact: { plugins: { config_path: x.yaml } }, claimx: { plugins: { config_path: c.yaml } } }\n',
      'x.yaml': 'plugins:\n  - name: audit_logger\n',
      'c.yaml': 'plugins:\n  - name: audit_logger\n',
    });
    expect(printed(await claimx(cwd))).toBe('');
  });

  it('F14: a global entry goes to every domain that it is for, and only there', async () => {
    const cwd = folder({
      'pipeline.yaml': '',
      'plugins.yaml':
        'plugins:\n  - name: audit_logger\n  - name: esx_processor\n  - { name: task_trigger, config: {} }\n  - { name: only, type: event_filter, domains: claimx }\n',
    });
    const loaded = await claimx(cwd);
    expect(printed(loaded)).toBe('');
    expect(Object.entries(loaded.entries).map(([domain, entries]) => [domain, entries.map(({ name }) => name)])).toEqual([
      ['xact', ['audit_logger', 'esx_processor']],
      ['claimx', ['audit_logger', 'task_trigger', 'only']],
    ]);
  });

  it('a disabled entry asks for no variable and loads no module; plugins switched off as a whole are set aside', async () => {
    const entry = 'plugins:\n  - { name: a, module: ./none.js, enabled: false, config: { t: "${NOPE}" } }\n';
    const loaded = await xact(entry);
    expect(printed(loaded)).toBe('');
    expect(loaded.entries['xact']).toMatchObject([{ name: 'a', enabled: false }]);
    const off = await load({
      'pipeline.yaml': XACT.replace('config_path', 'enabled: false, config_path'),
      'xact_plugins.yaml': entry.replace('enabled: false', 'enabled: true'),
    });
    expect(printed(off)).toBe('');
    expect(off.entries['xact']).toEqual([]);
    expect(off.setAside).toMatchObject([{ name: 'a', reason: 'plugins_disabled' }]);
  });
});

describe('modules', () => {
  const plugin =
    'export const mine = { spec: { name: "mine", version: "1.0.0", summary: "" } };\nexport class Old {}\nexport default mine;\nexport const other = 5;\n';
  const entry = (keys: string) => `plugins:\n  - { name: n, ${keys} }\n`;

  it('a file beside the one that names it: its default, or the export that class names', async () => {
    const files = { 'plugins/mine.mjs': plugin };
    for (const keys of [
      'module: ./plugins/mine.mjs',
      'module: ./plugins/mine.mjs, class: mine',
      'module: ./plugins/mine.mjs, class: Old',
    ]) {
      const loaded = await xact(entry(keys), files);
      expect(printed(loaded)).toBe('');
      expect(loaded.entries['xact']?.[0]?.plugin).toBeDefined();
    }
    const above = await load(
      { 'config/pipeline.yaml': XACT, 'config/xact_plugins.yaml': entry('module: ../plugins/mine.mjs'), ...files },
      {},
      'config/pipeline.yaml',
    );
    expect(printed(above)).toBe('');
  });

  it.each([
    ['module: ./none.mjs', 'PS1201 module ./none.mjs does not exist'],
    ['module: ./mine.mjs, class: Mine', 'PS1201 module ./mine.mjs has no export "Mine"'],
    ['module: ./mine.mjs, class: other', 'PS1201 other of module ./mine.mjs is no plugin'],
    ['module: ./named.mjs', 'PS1201 module ./named.mjs has no export default'],
    ['module: ./broken.mjs', 'PS1201 module ./broken.mjs cannot be loaded: '],
    ['module: ./mine.ts', 'PS1201 module ./mine.ts is TypeScript, which cannot be run as it is'],
    ['module: "node:fs"', 'PS1201 module node:fs is no file and no package'],
    ['module: "https://x.example/x.js"', 'PS1201 module https://x.example/x.js is no file and no package'],
    ['module: no-such-package', 'PS1201 no package no-such-package is installed'],
    ['module: company.plugins.x', 'PS1201 no package company.plugins.x is installed'],
    ['module: ../../outside.mjs', 'PS1201 module ../../outside.mjs does not exist'],
    ['module: /etc/hostname', 'PS1201 module /etc/hostname lies outside the folder of this file and the working directory'],
  ])('{ %s } is refused: %s', async (keys, message) => {
    const files = { 'mine.mjs': plugin, 'named.mjs': 'export class Only {}\n', 'broken.mjs': 'export default {\n', 'mine.ts': '' };
    const loaded = await xact(entry(keys), files);
    expect(loaded.diagnostics.map(({ code, message: text }) => `${code} ${text}`)).toEqual([expect.stringContaining(message)]);
    expect(loaded.entries['xact']).toEqual([]);
  });

  it('a module without the export that is asked for is told with those that it has', async () => {
    const two = 'export class One { execute() {} }\nexport class Two { execute() {} }\nexport const three = 3;\n';
    const loaded = await xact(entry('module: ./two.mjs'), { 'two.mjs': two });
    expect(loaded.diagnostics[0]?.help).toBe('its plugins are One, Two: name one with class');
    const none = await xact(entry('module: ./none-in-it.mjs'), { 'none-in-it.mjs': 'export const three = 3;\n' });
    expect(none.diagnostics[0]?.help).toBe('export what definePlugin returns, or a class that extends Plugin');
  });

  it('a link out of the folder leads out of it', async () => {
    const outside = folder({ 'mine.mjs': plugin });
    const cwd = folder({ 'pipeline.yaml': XACT, 'xact_plugins.yaml': entry('module: ./link.mjs') });
    symlinkSync(join(outside, 'mine.mjs'), join(cwd, 'link.mjs'));
    expect(printed(await loadPipeline({ configPath: 'pipeline.yaml', env: {}, catalogue, cwd }))).toContain('lies outside');
  });

  it('an installed package, by its exports or its main', async () => {
    const loaded = await xact(
      `plugins:
  - { name: a, module: '@acme/claims' }
  - { name: b, module: '@acme/claims/extra', class: mine }
  - { name: c, module: plain }
  - { name: d, module: '@acme/claims/hidden' }
`,
      {
        'node_modules/@acme/claims/package.json': JSON.stringify({ exports: { '.': { import: './main.mjs' }, './extra': './extra.mjs' } }),
        'node_modules/@acme/claims/main.mjs': plugin,
        'node_modules/@acme/claims/extra.mjs': plugin,
        'node_modules/plain/package.json': JSON.stringify({ main: 'plain.mjs' }),
        'node_modules/plain/plain.mjs': plugin,
      },
    );
    expect(names(loaded)).toEqual(['a/a', 'b/b', 'c/c']);
    expect(said(loaded)).toEqual(['5:24 PS1201 no package @acme/claims/hidden is installed']);
  });
});
