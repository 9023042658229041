import { of } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { deliveries } from 'penstock/operators';
import {
  act,
  assemble,
  type AssembleOptions,
  defineOpenPlugin,
  filter,
  messages,
  PluginContext,
  type PluginEntry,
  publish,
  retry,
  z,
} from 'penstock/plugin';
import { builtIns } from '../../plugins/index.js';
import { STAGE_SCHEMAS, XACT_STAGES } from '../../src/domains/xact/stages.js';

const stages = XACT_STAGES.map((name) => ({ name, message: STAGE_SCHEMAS[name] }));

function entry(fields: Partial<PluginEntry> & { readonly name: string }): PluginEntry {
  return {
    type: fields.name,
    scope: 'domain',
    enabled: true,
    config: {},
    at: (path, part = 'value', offset = 0) => ({ file: `${[fields.name, ...path].join('/')}#${part}`, line: 1, column: 1 + offset }),
    ...fields,
  };
}

function assembled(entries: readonly PluginEntry[], options: Partial<AssembleOptions> = {}) {
  return assemble({ domain: 'xact', entries, catalogue: builtIns, stages, ...options });
}

const findings = (entries: readonly PluginEntry[], options: Partial<AssembleOptions> = {}) =>
  assembled(entries, options).diagnostics.map(({ code, severity, message, help, file }) => ({ code, severity, message, help, file }));

const noted = defineOpenPlugin({
  name: 'noted',
  version: '1.2.0',
  summary: 'Does nothing.',
  reads: messages(),
  config: z.strictObject({ label: z.string().default('x') }),
  create: () => () => undefined,
});
const catalogue = { ...builtIns, noted, b: noted, c: noted, d: noted };

describe('assemble', () => {
  it('orders by priority, then before and after, then as written', () => {
    const { set, diagnostics } = assembled(
      [
        entry({ name: 'audit_logger' }),
        entry({ name: 'noted', after: ['c'] }),
        entry({ name: 'b', priority: 100 }),
        entry({ name: 'c' }),
        entry({ name: 'd', before: ['b'] }),
        entry({ name: 'early', type: 'noted', priority: 1 }),
      ],
      { catalogue },
    );
    expect(diagnostics).toEqual([]);
    expect(set.stage('dlq').plugins.map(({ name }) => name)).toEqual(['early', 'c', 'noted', 'd', 'b', 'audit_logger']);
    expect(set.stage('dlq').plugins[0]).toEqual({ name: 'early', type: 'noted', version: '1.2.0', priority: 1 });
  });

  it('names a circle, a wish against the priorities, and a neighbour that is not there', () => {
    expect(findings([entry({ name: 'noted', before: ['b'] }), entry({ name: 'b', before: ['noted'] })], { catalogue })).toMatchObject([
      { code: 'PS1204', message: 'noted, b wait for one another' },
    ]);
    expect(findings([entry({ name: 'noted', before: ['b'] }), entry({ name: 'b', priority: 5 })], { catalogue })).toMatchObject([
      { code: 'PS1204', help: 'give noted a priority of at most 5', file: 'noted/before#value' },
    ]);
    expect(findings([entry({ name: 'noted', after: ['audit_loger'] }), entry({ name: 'audit_logger' })], { catalogue })).toMatchObject([
      { code: 'PS1204', help: 'did you mean "audit_logger"?', file: 'noted/after/0#value' },
    ]);
  });

  it('F5: two plugins of one name are an error, and the first stays', () => {
    const { set, diagnostics } = assembled([entry({ name: 'noted' }), entry({ name: 'noted', type: 'b' })], { catalogue });
    expect(diagnostics).toMatchObject([{ code: 'PS1202', severity: 'error' }]);
    expect(set.stage('dlq').plugins).toHaveLength(1);
  });

  it('takes dash for underscore, class names, and older names with their keys', () => {
    const { set, diagnostics } = assembled([
      entry({ name: 'esx', type: 'esx-processor' }),
      entry({ name: 'alerts', type: 'FailureAlerterPlugin' }),
      entry({ name: 'custom_filter', config: { filter_pattern: '.*test.*' } }),
    ]);
    expect(diagnostics).toEqual([]);
    expect(set.stage('result_process').plugins.map(({ type }) => type)).toEqual(['esx_processor', 'failure_alerter']);
    expect(set.stage('event_ingest').plugins.map(({ name }) => name)).toEqual(['custom_filter']);
  });

  it('says which plugin was meant', () => {
    expect(findings([entry({ name: 'audit_loger' })])).toMatchObject([
      { code: 'PS1203', message: 'no plugin is called "audit_loger"', help: 'did you mean "audit_logger"?' },
    ]);
  });

  it('F9: an unknown config key, and a value that does not fit, are errors where they stand', () => {
    expect(findings([entry({ name: 'failure_alerter', config: { min_retrys: 2, topic: 'no spaces' } })])).toMatchObject([
      { code: 'PS1105', file: expect.stringContaining('failure_alerter/config/topic') as string },
      { code: 'PS1103', help: 'did you mean "min_retries"?', file: 'failure_alerter/config/min_retrys#key' },
    ]);
  });

  it('tells plugins of another domain apart: left out of a global file, an error in a domain file', () => {
    expect(findings([entry({ name: 'esx_processor' })], { domain: 'claimx', stages: ['result_process'] })).toMatchObject([
      { code: 'PS1205' },
    ]);
    const global = assembled([entry({ name: 'esx_processor', scope: 'global' })], { domain: 'claimx', stages: ['result_process'] });
    expect(global.diagnostics).toEqual([]);
    expect(global.set.stage('result_process').plugins).toEqual([]);
    expect(findings([entry({ name: 'noted', domains: ['claimx'] })], { catalogue })).toMatchObject([
      { code: 'PS1205', file: 'noted/domains#value' },
    ]);
  });

  it('lets stages in a file replace those of the plugin, in any case, and refuses those that are not there', () => {
    const { set } = assembled([entry({ name: 'esx_processor', stages: ['UPLOAD_COMPLETE'] })]);
    expect(set.stage('result_process').plugins).toEqual([]);
    expect(set.stage('upload_complete').plugins).toHaveLength(1);
    expect(findings([entry({ name: 'noted', stages: ['result_proces'] })], { catalogue })).toMatchObject([
      { code: 'PS1205', help: 'did you mean "result_process"?', file: 'noted/stages/0#value' },
    ]);
    expect(findings([entry({ name: 'noted', scope: 'global', stages: ['entity_write'] })], { catalogue })).toEqual([]);
    expect(() => set.stage('nowhere')).toThrow('no stage "nowhere"');
  });

  it('refuses filtering where plugins only observe', () => {
    expect(findings([entry({ name: 'event_filter', stages: ['dlq'], config: { pattern: 'x' } })])).toMatchObject([{ code: 'PS1207' }]);
  });

  it('F3: an action that nothing here performs is an error at load', () => {
    expect(
      findings([entry({ name: 'audit_logger', config: { webhook_url: 'https://a.example.com' } })], { actions: ['log'] }),
    ).toMatchObject([{ code: 'PS1206', message: 'audit_logger may ask for http_webhook, which nothing here performs' }]);
    expect(findings([entry({ name: 'audit_logger' })], { actions: ['log'] })).toEqual([]);
  });

  it('F6: an event type with a star inside never matches, and a lone star is all', () => {
    expect(findings([entry({ name: 'noted', event_types: ['CLAIM_*'] })], { catalogue })).toMatchObject([
      { code: 'PS2107', severity: 'warning' },
    ]);
    expect(findings([entry({ name: 'noted', event_types: ['*'] })], { catalogue })).toEqual([]);
  });

  it('warns of a rule that matches everything', () => {
    expect(findings([entry({ name: 'event_filter' })])).toMatchObject([{ code: 'PS2101', severity: 'warning' }]);
  });

  it('checks conditions and expressions where they stand, inside the config too', () => {
    expect(
      findings(
        [
          entry({ name: 'noted', conditions: { all: [{ field: 'event_tipe', equals: 'x' }] } }),
          entry({ name: 'b', config: { conditions: { any: 7 }, label: 'y' } }),
          entry({ name: 'c', stages: ['result_process'], when: 'status == 3 && retry_count > 1' }),
        ],
        { catalogue },
      ),
    ).toMatchObject([
      { code: 'PS1401', help: 'did you mean "event_type"?', file: 'noted/conditions/all/0/field#value' },
      { code: 'PS1401', file: 'b/config/conditions/any#value' },
      {
        code: 'PS1401',
        message: 'this condition compares string with int',
        help: 'status is one of "completed", "failed", "failed_permanent"',
        file: 'c/when#value',
      },
    ]);
  });

  it('knows the fields of every stage of the domain', () => {
    expect(findings([entry({ name: 'noted', when: 'event_id != "" && size(domain) > 0' })], { catalogue })).toEqual([]);
    expect(
      findings([entry({ name: 'noted', stages: ['event_ingest'], when: 'message.type.startsWith("x") && traceId != ""' })], { catalogue }),
    ).toEqual([]);
  });

  it('takes a version range', () => {
    expect(findings([entry({ name: 'noted', version: '^1.1' })], { catalogue })).toEqual([]);
    expect(findings([entry({ name: 'noted', version: '>=2' })], { catalogue })).toMatchObject([{ code: 'PS1201' }]);
  });

  it('leaves disabled plugins out', () => {
    const { set } = assembled([entry({ name: 'noted', enabled: false, config: { nonsense: true } })], { catalogue });
    expect(set.counts()).toEqual({});
  });

  it('checks an amended message against the schema of the stage', () => {
    const amending = (patch: object) =>
      defineOpenPlugin({
        name: 'amending',
        version: '1.0.0',
        summary: 'x',
        reads: messages(),
        create: () => () => ({ kind: 'amend', patch, actions: [] }),
      });
    const run = (patch: object) => {
      const { set } = assembled([entry({ name: 'amending', plugin: amending(patch), stages: ['result_process'] })]);
      const out: unknown[] = [];
      const message = { trace_id: 't', status: 'completed' };
      of(new PluginContext({ domain: 'xact', stage: 'result_process', event_id: 't', message }))
        .pipe(deliveries(), set.stage('result_process').operator)
        .subscribe((delivery) => out.push(delivery.value.context.message));
      return { out, counts: set.counts()['amending'] };
    };
    const whole = {
      media_id: 'm',
      attachment_url: 'https://a/b',
      blob_path: 'p',
      status_subtype: 's',
      file_type: 'PDF',
      assignment_id: 'a',
      created_at: '2031-05-06T07:08:09Z',
    };
    expect(run(whole)).toMatchObject({ out: [{ trace_id: 't', file_type: 'PDF' }], counts: { amend: 1, fail: 0 } });
    expect(run({ ...whole, status: 'odd' })).toMatchObject({
      out: [{ trace_id: 't', status: 'completed' }],
      counts: { amend: 0, fail: 1 },
    });
  });

  it('ignores filtering, and decisions at the wrong stage, with a warning', () => {
    const log = vi.fn();
    const filtering = defineOpenPlugin({
      name: 'f',
      version: '1.0.0',
      summary: 'x',
      reads: messages(),
      create: () => () => filter('no', [publish('t', 1)]),
    });
    const deciding = defineOpenPlugin({ name: 'r', version: '1.0.0', summary: 'x', reads: messages(), create: () => () => retry(5) });
    const { set } = assembled(
      [entry({ name: 'f', plugin: filtering }), entry({ name: 'r', plugin: deciding }), entry({ name: 'r2', plugin: deciding })],
      { log },
    );
    const at = (stage: string) => {
      const passed: unknown[] = [];
      of(new PluginContext({ domain: 'xact', stage, event_id: 't', message: {} }))
        .pipe(deliveries(), set.stage(stage).operator)
        .subscribe(({ value }) => passed.push({ filtered: value.filtered, verdict: value.verdict, actions: value.actions.length }));
      return passed;
    };
    expect(at('error')).toEqual([{ filtered: undefined, verdict: { kind: 'retry', afterMs: 5 }, actions: 1 }]);
    expect(log.mock.calls.map(([line]) => (line as { message: string }).message)).toEqual([
      'filtering is ignored at error: no',
      'retry comes too late: a plugin before has decided',
    ]);
    expect(at('dlq')).toEqual([{ filtered: undefined, verdict: undefined, actions: 1 }]);
  });

  it('calls onLoad once each in order, onUnload in reverse, each within its limit', async () => {
    const calls: string[] = [];
    const living = (name: string, slow = false) =>
      defineOpenPlugin({
        name,
        version: '1.0.0',
        summary: 'x',
        reads: messages(),
        create: ({ onLoad, onUnload }) => {
          onLoad(() => (slow ? new Promise<void>(() => undefined) : void calls.push(`load ${name}`)));
          onUnload(() => void calls.push(`unload ${name}`));
          return () => undefined;
        },
      });
    const { set } = assembled([entry({ name: 'a', plugin: living('a') }), entry({ name: 'b', plugin: living('b'), priority: 1 })]);
    await set.load();
    await set.load();
    await set.unload();
    await set.unload();
    expect(calls).toEqual(['load b', 'load a', 'unload a', 'unload b']);
    const hanging = assembled([entry({ name: 'a', plugin: living('a') }), entry({ name: 'c', plugin: living('c', true) })], {
      hookTimeoutMs: 5,
    });
    await expect(hanging.set.load()).rejects.toThrow('onLoad of c took longer than 5 ms');
    expect(calls.slice(4)).toEqual(['load a', 'unload c', 'unload a']);
  });

  it('runs one plugin under two names side by side, and counts each', () => {
    const { set } = assembled([
      entry({ name: 'one', type: 'generic_alerter', config: { topic: 'a', statuses: ['x'] } }),
      entry({ name: 'two', type: 'generic_alerter', config: { topic: 'b', statuses: ['y'] }, when: 'message.trace_id != "t3"' }),
    ]);
    const topics: unknown[] = [];
    of(
      ...['x', 'y', 'y'].map(
        (status, at) =>
          new PluginContext({ domain: 'xact', stage: 'result_process', event_id: 'e', message: { trace_id: `t${at + 1}`, status } }),
      ),
    )
      .pipe(deliveries(), set.stage('result_process').operator)
      .subscribe(({ value }) =>
        topics.push(value.actions.map(({ plugin, action }) => [plugin, action.type === 'publish_to_topic' && action.params.topic])),
      );
    expect(topics).toEqual([[['one', 'a']], [['two', 'b']], []]);
    expect(set.counts()).toMatchObject({ one: { act: 1, skip: 2, not_matched: 0 }, two: { act: 1, skip: 1, not_matched: 1 } });
    expect(act).toBeTypeOf('function');
  });
});
