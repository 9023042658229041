import { describe, expect, it } from 'vitest';
import type { ConnectionConfig } from '../../src/config/pipeline-config.js';
import { createCapture } from '../../src/http/capture.js';
import { connectionHosts, connectionUrl } from '../../src/http/connections.js';
import type { Fetch, HttpCall } from '../../src/http/downloader.js';
import { createWebhookPerformer } from '../../src/http/webhook.js';
import type { Context, EmailAction, PlannedAction, WebhookAction } from '../../src/plugin/index.js';
import { rejection } from './loopback.js';

const demo: ConnectionConfig = {
  name: 'demo_api',
  baseUrl: 'https://api.example.com/v1',
  authType: 'none',
  authToken: undefined,
  authHeader: undefined,
  timeoutMs: 5000,
  maxRetries: 3,
  retryBackoffBaseMs: 2000,
  retryBackoffCapMs: 60_000,
  headers: { 'X-A': '1' },
  endpoint: undefined,
  method: 'POST',
  oauth2: undefined,
};

const oauth: ConnectionConfig = {
  ...demo,
  name: 'oauth_api',
  authType: 'oauth2',
  oauth2: {
    grantType: 'client_credentials',
    clientId: 'id',
    clientCredential: 'DEMO',
    tokenUrl: 'https://login.example.com/token',
    scope: 'all',
  },
};

const context: Context = {
  domain: 'xact',
  stage: 'result_process',
  worker: 'xact-result-processor',
  message: {},
  event_id: 'ev-1',
  event_type: 'verisk.claims.property.xn.documentsReceived',
  project_id: null,
  data: {},
  headers: {},
  error: null,
  retry_count: 0,
  timestamp: new Date(0),
};

type Params = WebhookAction['params'];

function planned(params: Params): [WebhookAction, PlannedAction, Context] {
  const action: WebhookAction = { type: 'http_webhook', params };
  return [action, { id: 'act-1', plugin: 'notifier', action, mode: 'background', required: false }, context];
}

interface Scripted {
  readonly calls: HttpCall[];
  readonly fetch: Fetch;
}

/** Answers calls one after the other; the last answer repeats. */
function scripted(...answers: readonly { status: number; headers?: Record<string, string>; body?: string }[]): Scripted {
  const calls: HttpCall[] = [];
  const fetch: Fetch = (call) => {
    const { status, headers = {}, body = '' } = answers[Math.min(calls.length, answers.length - 1)]!;
    calls.push(call);
    return Promise.resolve({ status, headers, body: Buffer.from(body) });
  };
  return { calls, fetch };
}

describe('http_webhook', () => {
  it('F3: goes out, with its id so that a repetition can be told', async () => {
    const { calls, fetch } = scripted({ status: 200 });
    await createWebhookPerformer({ connections: {}, fetch }).webhook(
      ...planned({ url: 'https://hooks.example.com/x', body: { a: 1 }, timeout: 3 }),
    );
    expect(calls).toEqual([
      {
        url: 'https://hooks.example.com/x',
        method: 'POST',
        headers: { 'content-type': 'application/json', 'Idempotency-Key': 'act-1' },
        body: '{"a":1}',
        timeoutMs: 3000,
      },
    ]);
  });

  it.each([
    ['none', 'DEMO', undefined, {}],
    ['bearer', 'DEMO', undefined, { Authorization: 'Bearer DEMO' }],
    ['bearer', undefined, undefined, {}],
    ['basic', 'REVNTw==', undefined, { Authorization: 'Basic REVNTw==' }],
    ['api_key', 'DEMO', undefined, { 'X-API-Key': 'DEMO' }],
    ['api_key', 'DEMO', 'X-Custom-Auth', { 'X-Custom-Auth': 'DEMO' }],
    ['api_key', '', 'X-Custom-Auth', {}],
  ] as const)('F8: through a connection that signs in by %s with %s', async (authType, authToken, authHeader, expected) => {
    const { calls, fetch } = scripted({ status: 204 });
    const connections = { demo_api: { ...demo, authType, authToken, authHeader } };
    await createWebhookPerformer({ connections, fetch }).webhook(
      ...planned({ connection: 'demo_api', path: '/hook', headers: { 'x-a': '2' }, body: 1 }),
    );
    expect(calls[0]?.url).toBe('https://api.example.com/v1/hook');
    expect(calls[0]?.timeoutMs).toBe(5000);
    expect(calls[0]?.headers).toEqual({ 'x-a': '2', 'content-type': 'application/json', 'Idempotency-Key': 'act-1', ...expected });
  });

  it('what signs in is not replaced by a header of the action', async () => {
    const { calls, fetch } = scripted({ status: 204 });
    const connections = { demo_api: { ...demo, authType: 'bearer' as const, authToken: 'DEMO' } };
    await createWebhookPerformer({ connections, fetch }).webhook(
      ...planned({ connection: 'demo_api', headers: { authorization: 'mine' } }),
    );
    expect(calls[0]?.headers).toMatchObject({ Authorization: 'Bearer DEMO' });
    expect(calls[0]?.headers).not.toHaveProperty('authorization');
  });

  it.each([
    [301, 'permanent'],
    [400, 'permanent'],
    [401, 'auth'],
    [403, 'permanent'],
    [404, 'permanent'],
    [429, 'transient'],
    [500, 'transient'],
    [503, 'transient'],
  ] as const)('F4: %i is a failure, %s', async (status, category) => {
    const { fetch } = scripted({ status, headers: { 'retry-after': '2' } });
    const error = await rejection(
      createWebhookPerformer({ connections: {}, fetch }).webhook(...planned({ url: 'https://hooks.example.com/x?key=SECRET' })),
    );
    expect(error).toMatchObject({
      code: 'PS4002',
      category,
      httpStatus: status,
      retryAfterMs: category === 'transient' ? 2000 : undefined,
    });
    expect(String(error)).not.toContain('SECRET');
  });

  it('a path cannot leave its connection with the credentials of it', () => {
    const bare = { ...demo, baseUrl: 'https://api.example.com' };
    expect(connectionUrl(bare, '@evil.example/x')).toBe('https://api.example.com/@evil.example/x');
    expect(connectionUrl(bare, '.evil.example')).toBe('https://api.example.com/.evil.example');
    expect(connectionUrl(demo, '')).toBe('https://api.example.com/v1');
    expect(connectionUrl({ ...demo, baseUrl: 'https://api.example.com/v1/' }, '/y?z=1')).toBe('https://api.example.com/v1/y?z=1');
  });

  it('an unknown connection is named', async () => {
    const { fetch } = scripted({ status: 200 });
    const error = await rejection(
      createWebhookPerformer({ connections: { demo_api: demo }, fetch }).webhook(...planned({ connection: 'other' })),
    );
    expect(error).toMatchObject({ code: 'PS4002', category: 'permanent', help: expect.stringContaining('demo_api') });
  });

  it('the hosts of connections can be told', () => {
    expect(connectionHosts({ demo_api: demo, oauth })).toEqual(['api.example.com', 'login.example.com']);
  });
});

describe('connections that get their token from a service', () => {
  const token = (text: string, expires = 3600) => ({ status: 200, body: JSON.stringify({ access_token: text, expires_in: expires }) });
  const performer = (fetch: Fetch, now = () => 0) => createWebhookPerformer({ connections: { oauth }, fetch, now });
  const hook = planned({ connection: 'oauth', path: '/x', body: {} });

  it('ask once for all who wait, and keep what they get', async () => {
    const { calls, fetch } = scripted(token('T1'), { status: 200 });
    const { webhook } = performer(fetch);
    await Promise.all([webhook(...hook), webhook(...hook), webhook(...hook)]);
    await webhook(...hook);
    expect(calls.map(({ url }) => url)).toEqual([oauth.oauth2!.tokenUrl, ...Array<string>(4).fill('https://api.example.com/v1/x')]);
    expect(calls[0]?.body).toBe('grant_type=client_credentials&client_id=id&client_secret=DEMO&scope=all');
    expect(calls[4]?.headers).toMatchObject({ Authorization: 'Bearer T1' });
  });

  it('ask again 300 seconds before the end', async () => {
    let now = 0;
    const { calls, fetch } = scripted(token('T1'), { status: 200 }, { status: 200 }, token('T2'), { status: 200 });
    const { webhook } = performer(fetch, () => now);
    await webhook(...hook);
    now = 3_299_000;
    await webhook(...hook);
    now = 3_300_000;
    await webhook(...hook);
    expect(calls.map(({ headers }) => headers['Authorization'])).toEqual([undefined, 'Bearer T1', 'Bearer T1', undefined, 'Bearer T2']);
  });

  it('replace a refused token once', async () => {
    const { calls, fetch } = scripted(token('T1'), { status: 401 }, token('T2'), { status: 200 });
    await performer(fetch).webhook(...hook);
    expect(calls.map(({ headers }) => headers['Authorization'])).toEqual([undefined, 'Bearer T1', undefined, 'Bearer T2']);
    const refused = scripted(token('T1'), { status: 401 }, token('T2'), { status: 401 });
    expect(await rejection(performer(refused.fetch).webhook(...hook))).toMatchObject({ category: 'auth', httpStatus: 401 });
    expect(refused.calls).toHaveLength(4);
  });

  it('fail by what the token service says, and ask again next time', async () => {
    const { calls, fetch } = scripted({ status: 503 }, { status: 400 }, { status: 200, body: 'SECRET' }, token('T1'), { status: 200 });
    const { webhook } = performer(fetch);
    expect(await rejection(webhook(...hook))).toMatchObject({ category: 'transient', httpStatus: 503 });
    expect(await rejection(webhook(...hook))).toMatchObject({ category: 'auth', httpStatus: 400 });
    const unusable = await rejection(webhook(...hook));
    expect(unusable).toMatchObject({ category: 'auth' });
    expect(JSON.stringify(unusable) + String((unusable as Error).cause)).not.toContain('SECRET');
    await webhook(...hook);
    expect(calls).toHaveLength(5);
  });
});

describe('send_email', () => {
  const mail = (params: Partial<EmailAction['params']>): [EmailAction, PlannedAction, Context] => {
    const action: EmailAction = { type: 'send_email', params: { to: ['a@example.com'], subject: 'Demo', body: 'Hello', ...params } };
    return [action, { id: 'act-2', plugin: 'notifier', action, mode: 'background', required: false }, context];
  };

  it('F3: posts the mail to the service', async () => {
    const { calls, fetch } = scripted({ status: 202 });
    const connections = { email_service: { ...demo, name: 'email_service' } };
    await createWebhookPerformer({ connections, fetch }).email(...mail({ html: true, cc: ['c@example.com'], template_id: 'tpl-1' }));
    expect(calls[0]).toMatchObject({ url: 'https://api.example.com/v1/send', method: 'POST', headers: { 'Idempotency-Key': 'act-2' } });
    expect(JSON.parse(String(calls[0]?.body))).toEqual({
      to: ['a@example.com'],
      subject: 'Demo',
      content: 'Hello',
      content_type: 'text/html',
      cc: ['c@example.com'],
      template_id: 'tpl-1',
      template_data: {},
      metadata: { event_id: 'ev-1', event_type: context.event_type, project_id: null, domain: 'xact', stage: 'result_process' },
    });
  });

  it('F4: a refusal is a failure', async () => {
    const { fetch } = scripted({ status: 500 });
    const connections = { email_service: demo };
    expect(await rejection(createWebhookPerformer({ connections, fetch }).email(...mail({})))).toMatchObject({ category: 'transient' });
  });
});

describe('createCapture', () => {
  it('remembers the latest requests and counts all of them', async () => {
    const capture = createCapture({ connections: { demo_api: { ...demo, headers: { 'X-Key': 'SECRET' } } }, limit: 2 });
    for (const path of ['/1', '/2', '/3']) await capture.webhook(...planned({ connection: 'demo_api', path }));
    expect(capture.count()).toBe(3);
    expect(capture.captured().map(({ url }) => url)).toEqual(['https://api.example.com/v1/2', 'https://api.example.com/v1/3']);
    expect(JSON.stringify(capture.captured())).not.toContain('SECRET');
  });

  it('fails where sending would', async () => {
    const capture = createCapture({ connections: {} });
    await expect(async () => capture.webhook(...planned({ connection: 'nobody' }))).rejects.toMatchObject({ code: 'PS4002' });
  });
});
