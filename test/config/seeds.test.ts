import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { DOMAINS, loadPipeline } from '../../src/config/index.js';
import { catalogue, named } from './catalogue.js';
import { folder, load, printed, XACT } from './folder.js';

const fixture = (name: string) => readFileSync(fileURLToPath(new URL(`fixtures/seeds/${name}`, import.meta.url)), 'utf8');
const withClaimx = DOMAINS.map((domain) => ({ ...domain, runs: true }));
const withTaskTrigger = {
  ...catalogue,
  task_trigger: named('task_trigger', ['claimx']),
  TaskTriggerPlugin: named('task_trigger', ['claimx']),
};

describe('the plugin files of the old design, byte for byte', () => {
  it('are kept unchanged', () => {
    const digest = (name: string) => createHash('sha256').update(fixture(name)).digest('hex').slice(0, 16);
    expect(['xact_plugins.yaml', 'claimx_plugins.yaml', 'claimx_plugins_example.yaml', 'worker_section.yaml'].map(digest)).toEqual([
      'f0f9f1520a951094',
      'c4b5eeb5b97d7d63',
      '1409c4876fc57629',
      '9315a6b821ccd9c0',
    ]);
  });

  it('xact_plugins.yaml loads: dotted modules and classes find what ships', async () => {
    const loaded = await load({ 'pipeline.yaml': XACT, 'xact_plugins.yaml': fixture('xact_plugins.yaml') });
    expect(printed(loaded)).toBe('');
    expect(loaded.entries['xact']).toMatchObject([
      { name: 'custom_filter', type: 'custom_filter', enabled: true, priority: 10, config: { filter_pattern: '.*test.*' } },
      {
        name: 'audit_logger',
        type: 'audit_logger',
        enabled: true,
        priority: 1000,
        config: { log_level: 'INFO', include_payload: false },
      },
    ]);
  });

  it.each(['claimx_plugins.yaml', 'claimx_plugins_example.yaml'])(
    '%s loads beside a domain that runs, and asks for nothing',
    async (name) => {
      const pipeline = 'kafka: { claimx: { plugins: { config_path: claimx_plugins.yaml } } }\n';
      const loaded = await load({ 'pipeline.yaml': pipeline, 'claimx_plugins.yaml': fixture(name) });
      expect(printed(loaded)).toBe('');
      expect(loaded.setAside).toMatchObject([{ name: 'task_trigger', reason: 'domain_not_run', belongsTo: ['claimx'] }]);
      expect(loaded.entries).toEqual({ xact: [] });
    },
  );

  it('claimx_plugins.yaml loads where ClaimX runs: numbers as keys, headers filled in', async () => {
    const cwd = folder({
      'pipeline.yaml': 'kafka: { claimx: { plugins: { config_path: c.yaml } } }\n',
      'c.yaml': fixture('claimx_plugins.yaml'),
    });
    const options = { configPath: 'pipeline.yaml', catalogue: withTaskTrigger, cwd, shapes: withClaimx };
    const loaded = await loadPipeline({ ...options, env: { WEBHOOK_TOKEN: 's3' } });
    expect(printed(loaded)).toBe('');
    const webhook = { url: 'https://api.example.com/task-complete', method: 'POST', headers: { Authorization: 'Bearer s3' } };
    expect(loaded.entries['claimx']).toMatchObject([
      {
        name: 'task_trigger',
        config: {
          triggers: { 456: { name: 'Photo Documentation', on_completed: { publish_to_topic: 'claimx.task-456-completed', webhook } } },
        },
      },
    ]);
    expect(loaded.entries['xact']).toEqual([]);
    expect((await loadPipeline({ ...options, env: {} })).diagnostics.map(({ code }) => code)).toEqual(['PS1301']);
  });

  it('the section of the main configuration loads', async () => {
    const files = {
      'config/xact_plugins.yaml': fixture('xact_plugins.yaml'),
      'config/claimx_plugins.yaml': fixture('claimx_plugins.yaml'),
    };
    const loaded = await load({ 'config/pipeline.yaml': fixture('worker_section.yaml'), ...files }, {}, 'config/pipeline.yaml');
    expect(printed(loaded)).toBe('');
    expect(loaded.entries['xact']).toHaveLength(2);
  });

  it('F14: an entry of the other domain in a file of XACT is told apart, and does nothing', async () => {
    const both = fixture('xact_plugins.yaml') + fixture('claimx_plugins.yaml').replace('plugins:\n', '');
    const loaded = await load({ 'pipeline.yaml': XACT, 'xact_plugins.yaml': both });
    expect(loaded.entries['xact']?.map(({ name }) => name)).toEqual(['custom_filter', 'audit_logger']);
    expect(loaded.setAside).toMatchObject([{ name: 'task_trigger', reason: 'other_domain' }]);
    expect(printed(loaded)).toBe(
      'xact_plugins.yaml:18:11 warning PS1205 "task_trigger" is a plugin of claimx; in the plugins of xact it does nothing\n' +
        '  = help: move it to the plugins of claimx\n',
    );
    const shared = await load({ 'pipeline.yaml': '', 'plugins.yaml': both });
    expect(printed(shared)).toBe('');
    expect(shared.entries['xact']).toHaveLength(2);
  });
});
