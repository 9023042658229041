import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PipelineConfig } from '../../src/config/index.js';
import { builtIns } from '../../plugins/index.js';
import { openRunning } from '../../src/cli/running.js';
import { type RunReport, WORKER_NAMES } from '../../src/cli/pipeline.js';
import type { Shell } from '../../src/cli/shell.js';
import { byteOutput } from '../../src/cli/byte-output.js';
import { act, defineOpenPlugin, messages, webhook } from '../../src/plugin/index.js';
import { topicName } from '../../src/domains/xact/topics.js';
import type { OutboxRecord } from '../../src/runtime/plugin-actions.js';
import { until } from '../transport/collector.js';
import { temporary } from './temporary.js';

const folder = temporary();

/** Settings that are looked at before there is a pipeline, or that only say something. */
const ELSEWHERE = [
  /^file$/, // where it was read from
  /^environment$/, // makes `production`
  /^brokers\./, // what speaks to them
  /^kafka\./,
  /^kafka\./, // where brokers are named
  /^domains\./, // one domain runs here
  /^plugins\./, // the loader
  /^moduleAliases\./,
  /^connections\.[^.]+\.(?:name|oauth2|headers|endpoint|method|timeoutMs|authType|authToken|authHeader|maxRetries|retryBackoff)/, // read when a call is made
  /^perDomain\.[^.]+\.(?:name|plugins)/,
  /^perDomain\.claimx\./, // is not run
];

/** Wraps a configuration so that it is known which of its settings somebody has read. */
function watched(config: PipelineConfig): { readonly config: PipelineConfig; unread(): readonly string[] } {
  const read = new Set<string>();
  const wrap = <T extends object>(value: T, path: string): T =>
    new Proxy(value, {
      get(target, name, receiver) {
        const inner: unknown = Reflect.get(target, name, receiver);
        if (typeof name === 'symbol' || typeof inner === 'function') return inner;
        const at = path === '' ? name : `${path}.${name}`;
        read.add(at);
        return typeof inner === 'object' && inner !== null ? wrap(inner, at) : inner;
      },
    });
  const leaves = (value: unknown, path: string): readonly string[] =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([name, inner]) => leaves(inner, path === '' ? name : `${path}.${name}`))
      : [path];
  return {
    config: wrap(config, ''),
    unread: () => leaves(config, '').filter((path) => !read.has(path) && !ELSEWHERE.some((pattern) => pattern.test(path))),
  };
}

function shell(name: string, yaml: string): Shell {
  const config = join(folder, `${name}.yaml`);
  writeFileSync(config, yaml);
  const data = join(folder, name);
  const nothing = (): void => undefined;
  return {
    config,
    data,
    json: false,
    color: false,
    quiet: false,
    verbosity: 0,
    env: {},
    out: byteOutput(2),
    print: nothing,
    notice: nothing,
    show: nothing,
  };
}

const answers: number[] = [];
const asked: string[] = [];
const service = createServer((request, response) => {
  asked.push(request.url ?? '');
  response.statusCode = answers.shift() ?? 200;
  response.end();
});

beforeAll(async () => {
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  const { port } = service.address() as AddressInfo;
  writeFileSync(
    join(folder, 'connections.yaml'),
    `connections: { crm: { base_url: "http://127.0.0.1:${port}", max_retries: 3, retry_backoff_base: 1ms, retry_backoff_max: 2ms } }\n`,
  );
});
afterAll(() => void service.close());

const CONFIG = `
connections: { config_path: connections.yaml }
api: { enabled: true, port: 0 }
log: { level: silent }
`;

const OUTBOX = topicName('xact.actions_outbox');
const ASKED: OutboxRecord = {
  id: 'a1',
  plugin: 'hook',
  action: { type: 'http_webhook', params: { connection: 'crm', path: '/claims', method: 'POST', body: {} } },
  context: { domain: 'xact', stage: 'event_ingest', event_id: 't1', event_type: null, project_id: null, retry_count: 0, timestamp: '' },
};

/** Performs one action of the outbox, and says how the worker's delivery left. */
async function performed(name: string, yaml: string): Promise<RunReport> {
  const running = await openRunning(shell(name, yaml), { catalogue: {}, workers: ['xact-actions'], api: false });
  try {
    await running.transport.produce([{ topic: OUTBOX, key: 't1', value: JSON.stringify(ASKED) }]);
    running.pipeline.start();
    await until('the action to have left', async () => (await running.pipeline.busy()) === undefined);
    const read = await running.transport.committed('xact-actions', OUTBOX);
    expect(Math.max(...read.map(({ offset }) => offset))).toBe(1);
    return await running.pipeline.report();
  } finally {
    await running.end();
  }
}

describe('settings', () => {
  it('G12: each one that the reference tells of is read by what it is about', async () => {
    let seen: ReturnType<typeof watched> | undefined;
    const running = await openRunning(shell('read', CONFIG), {
      catalogue: {},
      workers: WORKER_NAMES,
      adapt: (config) => {
        seen = watched(config);
        return Promise.resolve(seen.config);
      },
    });
    running.pipeline.start();
    await running.end();
    expect(seen?.unread()).toEqual([]);
  });

  it('F4, G5: a connection says how often its calls are made in a row', async () => {
    asked.splice(0);
    answers.push(503, 503);
    const { left, actions } = await performed('retried', CONFIG);
    expect(asked).toEqual(['/claims', '/claims', '/claims']);
    expect(left).toMatchObject({ delivered: 1, retried: 0 });
    expect(actions).toEqual({ http_webhook: 1 });
  });

  it('G11: how long an action took is exported', async () => {
    asked.splice(0);
    const running = await openRunning(shell('timed', CONFIG), { catalogue: {}, workers: ['xact-actions'] });
    try {
      await running.transport.produce([{ topic: OUTBOX, key: 't1', value: JSON.stringify(ASKED) }]);
      running.pipeline.start();
      await until('the action to have left', async () => (await running.pipeline.busy()) === undefined);
      const answer = await fetch(`http://127.0.0.1:${running.server!.port}/metrics`);
      expect(await answer.text()).toContain('penstock_action_duration_seconds_count{type="http_webhook"} 1');
    } finally {
      await running.end();
    }
  });

  it('actions.capture sends nothing, whatever runs', async () => {
    asked.splice(0);
    const { left } = await performed('captured', `${CONFIG}actions: { capture: true }\n`);
    expect(left).toMatchObject({ delivered: 1 });
    expect(asked).toEqual([]);
  });

  it('G6: no value of a variable is stored with an action, and it arrives all the same', async () => {
    asked.splice(0);
    const plugins = join(folder, 'hook.yaml');
    writeFileSync(
      plugins,
      'plugins: [{ name: hook, type: status_trigger, config: { triggers: [{ status: a, webhook: { url: "${HOOK}/t", headers: { Authorization: "Bearer ${TOKEN}" } } }] } }]\n',
    );
    const yaml = `${CONFIG}kafka: { xact: { plugins: { config_path: hook.yaml } } }\nhttp: { allow_localhost: true }\n`;
    const env = { HOOK: 'http://localhost:1/secret-path', TOKEN: 'very-secret-token' };
    const running = await openRunning(
      { ...shell('sealed', yaml), env },
      { catalogue: builtIns, workers: ['xact-event-ingester'], api: false },
    );
    try {
      const event = { type: 'x.a', traceId: 't1', utcDateTime: '2031-03-04T05:06:07Z', data: { assignmentId: 'A' } };
      await running.transport.produce([{ topic: topicName('xact.events'), key: 't1', value: JSON.stringify(event) }]);
      running.pipeline.start();
      await until('the event to have left', async () => (await running.pipeline.busy()) === undefined);
      const stored: string[] = [];
      for (const { partition } of await running.transport.offsets(OUTBOX))
        for await (const { value } of running.transport.read(OUTBOX, partition)) stored.push(value!.toString());
      expect(stored).toHaveLength(1);
      expect(stored[0]).not.toMatch(/secret/);
      expect(JSON.parse(stored[0]!)).toMatchObject({ sealed: ['HOOK', 'TOKEN'], action: { params: { url: '${HOOK}/t' } } });
    } finally {
      await running.end();
    }
  });

  it('mode: inline has a webhook sent before its event goes on, and nothing is stored', async () => {
    asked.splice(0);
    const hook = defineOpenPlugin({
      name: 'hook',
      version: '1.0.0',
      summary: 'Calls a service.',
      reads: messages(),
      stages: ['event_ingest'],
      create: () => () => act(webhook({ connection: 'crm', path: '/inline' })),
    });
    writeFileSync(join(folder, 'awaited.yaml'), 'plugins: [{ name: hook, mode: inline }]\n');
    const yaml = `${CONFIG}kafka: { xact: { plugins: { config_path: awaited.yaml } } }\n`;
    const running = await openRunning(shell('inline', yaml), { catalogue: { hook }, workers: ['xact-event-ingester'], api: false });
    try {
      const event = { type: 'x.a', traceId: 't1', utcDateTime: '2031-03-04T05:06:07Z', data: { assignmentId: 'A' } };
      await running.transport.produce([{ topic: topicName('xact.events'), key: 't1', value: JSON.stringify(event) }]);
      running.pipeline.start();
      await until('the event to have left', async () => (await running.pipeline.busy()) === undefined);
      const { left, actions } = await running.pipeline.report();
      expect([asked, left.delivered, actions]).toEqual([['/inline'], 1, { http_webhook: 1 }]);
      expect((await running.transport.offsets(OUTBOX)).every(({ end }) => end === 0)).toBe(true);
    } finally {
      await running.end();
    }
  });
});
