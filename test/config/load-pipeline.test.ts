import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DOMAINS, hasErrors, loadPipeline, topicSettings } from '../../src/config/index.js';
import { catalogue } from './catalogue.js';
import { folder, load, printed, XACT } from './folder.js';

const root = new URL('../..', import.meta.url).pathname;

describe('the shipped configuration', () => {
  it.each(['config/pipeline.yaml', 'config/demo.yaml'])('%s loads without a finding and without a variable', async (configPath) => {
    const loaded = await loadPipeline({ configPath, env: {}, catalogue, cwd: root });
    expect(printed(loaded)).toBe('');
    expect(loaded.config?.domains).toEqual(['xact']);
    expect(loaded.config?.brokers).toEqual([]);
    expect(loaded.entries['xact']?.map(({ name }) => name).filter((name) => name !== 'new_estimates')).toEqual([
      'custom_metrics',
      'audit_logger',
      'event_filter',
      'esx_processor',
      'failure_alerter',
      'status_subtype_router',
      'status_trigger',
      'refused_files',
      'webhook_notification',
    ]);
    expect(loaded.variables.every(({ fallback }) => fallback)).toBe(true);
  });

  it('loads the same from another working directory', async () => {
    const loaded = await loadPipeline({ configPath: join(root, 'config/pipeline.yaml'), env: {}, catalogue, cwd: folder({}) });
    expect(printed(loaded)).toBe('');
    expect(loaded.files.map((file) => file.slice(root.length))).toEqual([
      'config/pipeline.yaml',
      'config/plugins.yaml',
      'config/xact_plugins.yaml',
      'config/claimx_plugins.yaml',
      'config/connections.yaml',
    ]);
  });

  it('sends alerts of high severity at a count that the delays can reach', async () => {
    for (const configPath of ['config/pipeline.yaml', 'config/demo.yaml']) {
      const { config, entries } = await loadPipeline({ configPath, env: {}, catalogue, cwd: root });
      const alerter = entries['xact']?.find(({ name }) => name === 'failure_alerter')?.config as { readonly high_retries: number };
      expect(alerter.high_retries).toBeLessThanOrEqual(config!.perDomain['xact']!.retryDelaysMs.length);
    }
  });

  it('a plugin of a domain that is not run here is no error, and its variables are not asked for', async () => {
    const loaded = await loadPipeline({ configPath: 'config/pipeline.yaml', env: {}, catalogue, cwd: root });
    expect(loaded.setAside).toEqual([
      { name: 'task_trigger', file: 'config/claimx_plugins.yaml', reason: 'domain_not_run', belongsTo: ['claimx'] },
    ]);
  });
});

describe('a pipeline file', () => {
  it('has a default for every key', async () => {
    const { config, diagnostics } = await load({ 'pipeline.yaml': '' });
    expect(diagnostics).toEqual([]);
    expect(config).toMatchObject({
      brokers: [],
      domains: ['xact'],
      production: false,
      plugins: { enabled: true, path: undefined },
      http: { allowedHosts: undefined, resolve: {}, maxBytes: 2 ** 30 },
      tables: { flushMs: 1000, directory: undefined },
      actions: { capture: false, attempts: 4 },
      log: { level: 'info' },
      api: { enabled: true, host: '127.0.0.1', port: 4170 },
      drainTimeoutMs: 30_000,
    });
    const xact = config!.perDomain['xact']!;
    expect(xact.retryDelaysMs).toEqual([300_000, 600_000, 1_200_000, 2_400_000]);
    expect(xact.dedupe.windowMs).toBe(86_400_000);
    expect(xact.deltaEvents.runEventIngestPlugins).toBe(false);
    expect(Object.keys(xact.workers)).toEqual(DOMAINS[0]!.workers.map(({ name }) => name));
    expect(topicSettings(xact.topics, 'xact.dlq', 'deadLetter')).toEqual({ partitions: 3, retentionMs: 2_592_000_000 });
  });

  it('reads what is written', async () => {
    const text = `
kafka:
  brokers: "a:1, b:2"
  xact:
    retry_delays: 50ms,1s
    workers:
      xact-download: { concurrency: 7, max_in_flight_bytes: 1MiB, retry: { order: key, wait: 1s, give_up: 10m } }
    topics: { named: { xact.dlq: { partitions: 1 } } }
    delta_events: { run_event_ingest_plugins: true }
http: { allowed_hosts: [A.example], resolve: { Files.example: "127.0.0.1:4171", "v6.example": "[::1]:80" } }
tables: { directory: some/where }
drain_timeout: 5
`;
    const loaded = await load({ 'pipeline.yaml': text });
    expect(printed(loaded)).toBe('');
    const config = loaded.config!;
    expect(config.brokers).toEqual(['a:1', 'b:2']);
    expect(config.perDomain['xact']).toMatchObject({ retryDelaysMs: [50, 1000], deltaEvents: { runEventIngestPlugins: true } });
    expect(config.perDomain['xact']!.workers['xact-download']).toMatchObject({ concurrency: 7, credits: 200, maxInFlightBytes: 2 ** 20 });
    const retryOrder = { waitMs: 1000, maxWaiting: 100, giveUpMs: 600_000 };
    expect(config.perDomain['xact']!.workers['xact-download']).toMatchObject({ retryOrder });
    expect(config.perDomain['xact']!.workers['xact-upload']!.retryOrder).toBeUndefined();
    expect(topicSettings(config.perDomain['xact']!.topics, 'xact.dlq', 'deadLetter')).toEqual({ partitions: 1, retentionMs: 604_800_000 });
    expect(config.http.allowedHosts).toEqual(['a.example']);
    expect(config.http.resolve).toEqual({
      'files.example': { address: '127.0.0.1', port: 4171 },
      'v6.example': { address: '::1', port: 80 },
    });
    expect(config.tables.directory).toMatch(/\/some\/where$/);
    expect(config.drainTimeoutMs).toBe(5000);
  });

  it('the order of a key across retries is offered by each worker that retries, and where it makes no sense the finding says why', async () => {
    const workers = DOMAINS[0]!.workers.map(({ name }) => name);
    const retry = (name: string, text: string) => `kafka: { xact: { workers: { ${name}: { retry: ${text} } } } }\n`;
    const offered: Record<string, unknown> = {};
    for (const name of workers) {
      const { config } = await load({ 'pipeline.yaml': retry(name, '{ order: key, give_up: 10m }') });
      if (config !== undefined) offered[name] = config.perDomain['xact']!.workers[name]!.retryOrder;
      // What is not written is refused nowhere.
      expect(printed(await load({ 'pipeline.yaml': retry(name, '') }))).toBe('');
    }
    const inPlace = { waitMs: 5000, maxWaiting: 100, giveUpMs: 600_000 };
    expect(offered).toEqual({
      'xact-event-ingester': inPlace,
      'xact-download': inPlace,
      'xact-upload': inPlace,
      'xact-result-processor': { giveUpMs: 600_000 },
      'xact-delta-events': { giveUpMs: 600_000 },
      'xact-actions': inPlace,
    });
    const findings = async (name: string, text: string) =>
      (await load({ 'pipeline.yaml': retry(name, text) })).diagnostics.map(
        ({ file, line, column, code, message, help }) => `${file}:${line}:${column} ${code} ${message} (${help})`,
      );
    expect(await findings('xact-retry', '{ order: key }')).toEqual([
      'pipeline.yaml:1:50 PS1103 xact-retry has no key "retry": it brings back what other workers retry, and nothing of its own is retried' +
        ` (leave it out; say it of ${Object.keys(offered).join(', ')})`,
    ]);
    const why =
      'rows are written in the order of offsets, so a message behind one that is retried goes to the retry topic at once, or it would hold that one up (leave it out)';
    expect(await findings('xact-delta-events', '{ order: key, wait: 1s, waiting: 3 }')).toEqual([
      `pipeline.yaml:1:77 PS1103 xact-delta-events.retry has no key "wait": ${why}`,
      `pipeline.yaml:1:90 PS1103 xact-delta-events.retry has no key "waiting": ${why}`,
    ]);
    expect(await findings('xact-actions', '{ order: keys }')).toEqual([
      'pipeline.yaml:1:61 PS1102 order must be none or key (did you mean "key"?)',
    ]);
  });

  it('F9: an unknown key is an error with what was meant, and all problems of all files come at once, sorted by place', async () => {
    const loaded = await load({
      'pipeline.yaml': 'kafka:\n  brokrs: a\n  xact: { plugins: { config_path: xact_plugins.yaml } }\ndrain_timeout: soon\n',
      'xact_plugins.yaml':
        'plugins:\n  - name: esx_proces\n  - name: audit_logger\n    priorty: 1\n    config: { a: "${ONE}", b: "${TWO}" }\n',
      'connections.yaml': 'connections:\n  a: { base_url: nowhere }\n',
    });
    expect(loaded.config).toBeUndefined();
    expect(loaded.diagnostics.map(({ file, line, column, code, message }) => `${file}:${line}:${column} ${code} ${message}`)).toEqual([
      'connections.yaml:2:18 PS1105 base_url must be a URL, this is the text "nowhere"',
      'pipeline.yaml:2:3 PS1103 kafka has no key "brokrs"',
      'pipeline.yaml:4:16 PS1105 drain_timeout must be a duration, this is "soon"',
      'xact_plugins.yaml:2:11 PS1203 no plugin is called "esx_proces"',
      'xact_plugins.yaml:4:5 PS1103 a plugin entry has no key "priorty"',
      'xact_plugins.yaml:5:19 PS1301 environment variable ONE is not set',
      'xact_plugins.yaml:5:32 PS1301 environment variable TWO is not set',
    ]);
  });

  it('G4: a port from the environment is a number where it stands alone, and text in quotes', async () => {
    const plain = await load({ 'pipeline.yaml': 'api:\n  port: ${PORT}\n' }, { PORT: '99' });
    expect(plain.config?.api.port).toBe(99);
    const quoted = await load({ 'pipeline.yaml': 'api:\n  port: "${PORT}"\n' }, { PORT: '99' });
    expect(printed(quoted)).toContain('PS1104 port must be a number, this is the text "99"');
  });

  it.each([{ ENVIRONMENT: 'prod-eu' }, { DEPLOYMENT_ENV: 'PRODUCTION' }, { APP_ENV: 'live' }])(
    'G7: %o refuses what is for development',
    async (env) => {
      const text = 'http:\n  allow_localhost: true\n  resolve: { files.example: "127.0.0.1:1" }\n';
      const { diagnostics, config } = await load({ 'pipeline.yaml': text }, env);
      expect(diagnostics.map(({ code, line, message }) => `${line} ${code} ${message}`)).toEqual([
        '2 PS1302 http.allow_localhost is refused in production',
        '3 PS1302 http.resolve is refused in production',
      ]);
      expect(config?.production).toBe(true);
      expect(hasErrors((await load({ 'pipeline.yaml': text }, { ENVIRONMENT: 'staging' })).diagnostics)).toBe(false);
    },
  );

  it.each(['foo', 'a.b', '127.0.0.1:0', '127.0.0.1:70000', 'http://a:1', ':80'])('%s is no address with a port', async (target) => {
    const { diagnostics } = await load({ 'pipeline.yaml': `http: { resolve: { a.example: "${target}" } }\nfoo: 1\n` });
    expect(diagnostics.map(({ code, line, column }) => `${line}:${column} ${code}`)).toEqual(['1:31 PS1105', '2:1 PS1103']);
  });

  it('says where a file was looked for, and needs none that is switched off', async () => {
    const loaded = await load({ 'conf/pipeline.yaml': XACT }, {}, 'conf/pipeline.yaml');
    expect(printed(loaded)).toBe(
      'conf/pipeline.yaml:1:42 error PS1002 xact_plugins.yaml cannot be read: there is no such file\n' +
        '  = help: it was looked for at xact_plugins.yaml, conf/xact_plugins.yaml\n',
    );
    const off = await load({ 'pipeline.yaml': 'kafka: { xact: { plugins: { enabled: false, config_path: nowhere.yaml } } }\n' });
    expect(printed(off)).toBe('');
  });

  it('reports a file that is missing, a folder, or no text', async () => {
    expect(printed(await load({}, {}, 'none.yaml'))).toBe('none.yaml error PS1002 the file cannot be read: there is no such file\n');
    expect(printed(await load({ 'd/x': '' }, {}, 'd'))).toBe('d error PS1002 the file cannot be read: it is a directory\n');
    const cwd = folder({});
    const { writeFileSync } = await import('node:fs');
    writeFileSync(join(cwd, 'p.yaml'), Buffer.from([0x61, 0x3a, 0x20, 0xff]));
    expect(printed(await loadPipeline({ configPath: 'p.yaml', env: {}, catalogue, cwd }))).toContain('it is not UTF-8 text');
  });

  it('a plugins file by itself is a pipeline with all settings at their defaults', async () => {
    const files = { 'plugins.yaml': 'plugins:\n  - name: never_there\n', 'mine.yaml': 'plugins:\n  - name: esx_processor\n' };
    const loaded = await load(files, {}, 'mine.yaml');
    expect(printed(loaded)).toBe('');
    expect(loaded.entries['xact']?.map(({ name }) => name).filter((name) => name !== 'new_estimates')).toEqual(['esx_processor']);
    expect(loaded.config?.plugins.path).toMatch(/mine\.yaml$/);
  });

  it('runs the domains that are asked for, and knows those that cannot run', async () => {
    const cwd = folder({ 'pipeline.yaml': '' });
    const only = await loadPipeline({ configPath: 'pipeline.yaml', env: {}, catalogue, cwd, domains: ['claimx'] });
    expect(printed(only)).toBe('error PS1102 domain must be xact, this is "claimx"\n');
    const written = await load({ 'pipeline.yaml': 'domains: [claimx]\n' });
    expect(printed(written)).toContain('PS1102 item 1 of domains must be xact');
  });

  it('ends with findings, not with an error, on hostile files', async () => {
    const files = [
      '&a [*a]',
      '{',
      '? {a: b}\n: c',
      '__proto__: {polluted: true}',
      'kafka: [1]',
      '- 1',
      'x: *nope',
      `a: ${'['.repeat(2000)}`,
    ];
    files.push(
      `a0: &a0 [x]\n${Array.from({ length: 12 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(9).fill(`*a${n}`).join(',')}]`).join('\n')}`,
    );
    for (const text of files) {
      const { diagnostics } = await load({ 'pipeline.yaml': text });
      expect(hasErrors(diagnostics), text.slice(0, 40)).toBe(true);
    }
    expect(({} as { readonly polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe('connections', () => {
  const pipeline = { 'pipeline.yaml': '' };

  it('G6: takes secrets from the environment, digits too, and asks for those that are missing', async () => {
    const text = 'connections:\n  a:\n    base_url: https://a.example/v1/\n    auth_type: bearer\n    auth_token: ${TOKEN}\n';
    const loaded = await load({ ...pipeline, 'connections.yaml': text }, { TOKEN: '0042' });
    expect(printed(loaded)).toBe('');
    expect(loaded.config?.connections['a']).toMatchObject({
      name: 'a',
      baseUrl: 'https://a.example/v1',
      authType: 'bearer',
      authToken: '0042',
      timeoutMs: 30_000,
      maxRetries: 3,
      method: 'POST',
    });
    expect((await load({ ...pipeline, 'connections.yaml': text })).diagnostics.map(({ code, line }) => `${code} ${line}`)).toEqual([
      'PS1301 5',
    ]);
  });

  it('refuses a scheme without what it needs, and two connections of one name', async () => {
    const text = `connections:
  a: { base_url: https://a.example, auth_type: oauth2 }
  b: { base_url: https://a.example, auth_type: bearer }
  c: { name: d, base_url: https://a.example }
  d: { base_url: https://a.example }
`;
    const loaded = await load({ ...pipeline, 'connections.yaml': text });
    expect(loaded.diagnostics.map(({ code, message }) => `${code} ${message}`)).toEqual([
      'PS1101 auth_type oauth2 needs the key "oauth2"',
      'PS1101 auth_type bearer needs the key "auth_token"',
    ]);
    const twice = await load({ ...pipeline, 'connections.yaml': text.replace(/^ {2}[ab].*\n/gm, '') });
    expect(printed(twice)).toContain('connections.yaml:3:3 error PS1202 two connections are called "d"');
  });
});

it('every YAML file in config/ is loaded by one of the pipelines', async () => {
  const read = new Set<string>();
  for (const configPath of ['config/pipeline.yaml', 'config/demo.yaml'])
    for (const file of (await loadPipeline({ configPath, env: {}, catalogue, cwd: root })).files) read.add(file.slice(root.length + 7));
  const shipped = readdirSync(join(root, 'config')).filter((name) => name.endsWith('.yaml'));
  expect(shipped.length).toBeGreaterThan(4);
  expect([...read].sort()).toEqual(shipped.sort());
  for (const name of shipped) expect(readFileSync(join(root, 'config', name), 'utf8')).not.toContain('\t');
});
