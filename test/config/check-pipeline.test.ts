import { describe, expect, it } from 'vitest';
import { builtIns } from '../../plugins/index.js';
import { XACT_FACTS } from '../../src/cli/xact-facts.js';
import { checkPipeline, checkReport, type Environment } from '../../src/config/index.js';
import { renderPretty } from '../../src/diagnostics/index.js';
import { folder, XACT } from './folder.js';

const root = new URL('../..', import.meta.url).pathname;

const check = (configPath: string, cwd: string, env: Environment = {}, facts = XACT_FACTS) =>
  checkPipeline({ configPath, cwd, env, catalogue: builtIns, facts: [facts] });
const checkPlugins = (text: string, env?: Environment) =>
  check('pipeline.yaml', folder({ 'pipeline.yaml': XACT, 'xact_plugins.yaml': text }), env);
const said = ({ diagnostics }: Awaited<ReturnType<typeof check>>) =>
  diagnostics.map(({ line, column, severity, code }) => `${line}:${column} ${severity} ${code}`);

describe('check', () => {
  it.each(['config/pipeline.yaml', 'config/demo.yaml'])('%s has no finding with the plugins that ship', async (configPath) => {
    const checked = await check(configPath, root);
    expect(renderPretty(checked.diagnostics, { source: (file) => checked.sources.get(file) })).toBe('');
    expect(checked.topology).toEqual([
      {
        domain: 'xact',
        incoming: ['xact.events.raw'],
        outgoing: [
          'xact.alerts.failures',
          'xact.alerts.refused',
          'xact.claims.closed',
          'xact.documents.received',
          'xact.estimates.received',
          'xact.esx.processing',
        ],
      },
    ]);
  });

  it('prints what was looked at, then the findings, then how many', async () => {
    const cwd = folder({
      'pipeline.yaml': `${XACT}environment: \${ENVIRONMENT:-}\nlog: { level: "\${LOG_LEVEL}" }\n`,
      'xact_plugins.yaml':
        'plugins:\n  - name: esx_processor\n    config:\n      topic: xact.downloads.pending\n  - { name: off, type: audit_logger, enabled: false }\n',
    });
    const checked = await check('pipeline.yaml', cwd, { LOG_LEVEL: 'warn' });
    expect(checkReport(checked, 'pipeline.yaml')).toBe(`penstock check  pipeline.yaml

  config   2 files, 1 domain, 2 plugins (1 disabled)             ok
  env      2 variables used: 1 set, 1 by default (ENVIRONMENT)   ok
  rules    0 conditions checked against ${checked.rules.schemas} message schemas        ok
  topology xact: 1 in, 1 out                                     1 warning

xact_plugins.yaml:4:14 warning PS2104 esx_processor publishes to xact.downloads.pending, which xact-download reads: what a plugin publishes there comes round again
  4 |       topic: xact.downloads.pending
    |              ^^^^^^^^^^^^^^^^^^^^^^
  = help: publish to a topic of its own

1 warning, 0 errors.  --deny-warnings would fail.
`);
  });

  it('config of plugins is checked where it stands', async () => {
    const checked = await checkPlugins(
      'plugins:\n  - name: failure_alerter\n    config:\n      topic: xact.alerts\n      min_retrys: 3\n      high_retries: "5"\n',
    );
    expect(said(checked)).toEqual(['5:7 error PS1103', '6:21 error PS1104']);
    expect(checked.diagnostics[0]?.help).toBe('did you mean "min_retries"?');
  });

  it('a missing pattern and a rule that matches everything are warnings', async () => {
    const checked = await checkPlugins('plugins:\n  - name: event_filter\n  - { name: b, type: event_filter, config: { pattern: "" } }\n');
    expect(checked.diagnostics.length).toBeGreaterThan(0);
    expect(checked.diagnostics.every(({ severity, code }) => severity === 'warning' && code === 'PS2101')).toBe(true);
  });

  it('a condition is checked where it stands, and a value that only lacks its variable has one finding', async () => {
    const checked = await checkPlugins(
      'plugins:\n  - name: esx_processor\n    when: status ==\n  - name: webhook_notification\n    config: { webhook_url: "${HOOK}" }\n',
    );
    expect(said(checked)).toEqual([expect.stringMatching(/^3:\d+ error PS1401$/), '5:29 error PS1301']);
  });

  it('A14: a topic that is written and read by nobody is told', async () => {
    const orphaned = { ...XACT_FACTS, workers: () => [{ name: 'w', consumes: ['a'], produces: ['a', 'b'] }] };
    const checked = await check('pipeline.yaml', folder({ 'pipeline.yaml': '' }), {}, orphaned);
    expect(checked.diagnostics.map(({ code, message }) => `${code} ${message}`)).toEqual(['PS2103 w writes to b, which no worker reads']);
  });

  it('C5: every topic that a worker of XACT writes has a reader, retries of all delays included', async () => {
    const checked = await check('pipeline.yaml', folder({ 'pipeline.yaml': 'kafka: { xact: { retry_delays: [50ms, 5m, 90s] } }\n' }));
    expect(checked.diagnostics).toEqual([]);
  });

  it('F5: two plugins of one name are found once', async () => {
    expect(said(await checkPlugins('plugins:\n  - name: audit_logger\n  - name: audit_logger\n'))).toEqual(['3:11 error PS1202']);
  });
});
