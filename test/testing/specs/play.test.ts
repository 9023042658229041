import { describe, expect, it } from 'vitest';
import { played, told } from './folder.js';

const HEAD = `config: rules.yaml
stage: result_process
messages:
  e: { file_type: esx }
  p: {}
  f: { status: failed_permanent, retry_count: 3, error_message: gone }
  t: { $stage: event_ingest, type: test.created }
cases:
`;

describe('a case in YAML', () => {
  it('asserts every door and every action, over several stages on one timeline', async () => {
    const [result] = await played(`${HEAD}
  - name: three rules
    in: 'e-f-t-p|'
    expect:
      out:            'e-f---p|'
      filtered:       { marbles: '----t', reason: matched filter pattern }
      publish esx:    { marbles: 'e', content: { e: { file_type: esx, trace_id: t-e } } }
      publish alerts: { marbles: '--f', content: { f: { severity: medium, error_message: gone } } }
`);
    expect(result).toMatchObject({ passed: true, problems: [], counts: { event_filter: { filter: 1 }, failure_alerter: { act: 1 } } });
  });

  it('fails on what is not drawn: there is no false green', async () => {
    expect(
      await told(`${HEAD}
  - name: nothing is expected
    in: 'e|'
`),
    ).toMatch(/lane "out", which is not drawn[\s\S]*\+ extra {4}e@0ms[\s\S]*lane "publish esx", which is not drawn/);
  });

  it('fails a case that holds whatever the rule does', async () => {
    const silent = /no lane draws anything that should happen, so the case says nothing/;
    const cases = ["in: ''", "in: '|'", "in: 'e|'\n    sub: '!'", "in: 'e|'\n    ignore: ['*']", "in: ''\n    expect: { out: '' }"];
    for (const written of cases) expect(await told(`${HEAD}\n  - name: nothing\n    ${written}\n`), written).toMatch(silent);
    expect(await told(`${HEAD}\n  - name: an end\n    in: '|'\n    expect: { out: '|' }\n`)).toBe('');
  });

  it('lets lanes that are ignored by name receive what they like', async () => {
    const [result] = await played(`${HEAD}
  - name: only what comes out
    in: 'e|'
    ignore: ['publish *']
    expect: { out: 'e|' }
`);
    expect(result?.passed).toBe(true);
  });

  it('shows a failure at its line and column, its lanes on one scale', async () => {
    const text = await told(`${HEAD}
  - name: late
    in: 'e 30ms f|'
    expect:
      out:            'e 30ms f|'
      publish esx:    'e'
      publish alerts: ' 40ms f'
`);
    expect(text).toBe(
      [
        'a.marbles.yaml:15:30  lane "publish alerts"',
        '  in        e 30ms f|',
        '  expected  - 30ms ---------f',
        '  received  - 30ms f',
        '  - missing  f@40ms',
        '  + extra    f@31ms  failure_alerter',
        '  plugins: esx_processor skip 1, act 1 · failure_alerter skip 1, act 1',
      ].join('\n'),
    );
  });

  it('says what an action carries instead, and for which reason something left', async () => {
    const text = await told(`${HEAD}
  - name: contents
    in: 'f t|'
    expect:
      out:            'f-|'
      filtered:       { marbles: '-t', reason: too old }
      publish alerts: { marbles: 'f', content: { f: { severity: high } } }
`);
    expect(text).toContain(
      't@1ms left for the reason "event_filter: Event type \'test.created\' matched filter pattern \'test.*\'", expected "too old"',
    );
    expect(text).toContain('f@0ms carries severity = "medium", expected "high"');
    expect(text).toContain('a.marbles.yaml:15:53  lane "publish alerts"');
  });

  it('checks what an action carries also where another letter has the same content', async () => {
    const same = 'messages: { a: { file_type: esx, trace_id: t, media_id: m }, b: { $like: a } }';
    const text = await told(`config: rules.yaml
stage: result_process
${same}
cases:
  - name: twins
    in: 'ab|'
    expect: { out: 'ab|', publish esx: { marbles: 'ab', content: { b: { trace_id: other } } } }
`);
    expect(text).toContain('carries trace_id = "t", expected "other"');
  });

  it('names the lane that was meant when one of a name much like it received something', async () => {
    expect(
      await told(`${HEAD}
  - name: a typing error
    in: 'f|'
    expect: { out: 'f|', publish alert: 'f' }
`),
    ).toContain('nothing came here; did you mean "publish alerts"?');
  });

  it('allows for tolerance and for any order where a lane says so', async () => {
    const results = await played(`${HEAD}
  - name: near enough
    in: 'f|'
    expect: { out: 'f|', publish alerts: { marbles: '--f', tolerance: 2ms } }
  - name: too far
    in: 'f|'
    expect: { out: 'f|', publish alerts: { marbles: '---f', tolerance: 2ms } }
`);
    expect(results.map(({ passed }) => passed)).toEqual([true, false]);
  });

  it('answers actions by mocks, and an action that fails for good sends a message that needs it to its owner', async () => {
    const results = await played(`${HEAD}
  - name: a publish is tried again
    mocks: { publish alerts: ['throws transient: gone', '2ms ok'] }
    with: { plugins: { failure_alerter: { retry: { attempts: 2, base: 10ms, cap: 10ms } } } }
    in: 'f 20ms |'
    expect: { out: 'f 20ms |', publish alerts: 'f 9ms f', delivered: '------------f' }
  - name: nothing helps
    mocks: { publish alerts: 'throws permanent: no such topic' }
    with: { plugins: { failure_alerter: { required: true } } }
    in: 'f|'
    expect: { out: 'f|', publish alerts: 'f', failed: 'f' }
`);
    expect(results.flatMap((result) => result.problems.map(({ text }) => text))).toEqual([]);
    expect(results.map(({ passed }) => passed)).toEqual([true, true]);
  });

  it('patches the configuration for one case alone', async () => {
    const results = await played(`${HEAD}
  - name: higher threshold
    with: { plugins: { failure_alerter: { config: { min_retries: 4 } }, esx_processor: { enabled: false } } }
    in: 'ef|'
    expect: { out: 'ef|' }
  - name: as it stands
    in: 'ef|'
    expect: { out: 'ef|', publish esx: 'e', publish alerts: '-f' }
`);
    expect(results.map(({ passed }) => passed)).toEqual([true, true]);
  });

  it('sees the variables of the spec and none of the machine', async () => {
    const rules = 'plugins:\n  - name: esx_processor\n    config: { topic: "${HOME_TOPIC}" }\n';
    const text = (env: string) => `${HEAD.replace('rules.yaml', 'own.yaml')}
  - name: a variable
    ${env}
    in: 'e|'
    expect: { out: 'e|', publish from-spec: 'e' }
`;
    process.env['HOME_TOPIC'] = 'from-machine';
    try {
      const [set] = await played(text('env: { HOME_TOPIC: from-spec }'), { 'own.yaml': rules });
      expect(set?.passed).toBe(true);
      const [unset] = await played(text(''), { 'own.yaml': rules });
      expect(unset?.diagnostics).toMatchObject([{ code: 'PS1301', file: 'own.yaml', line: 3 }]);
    } finally {
      delete process.env['HOME_TOPIC'];
    }
  });

  it('reads messages from files and from other messages, and contexts beside them', async () => {
    const whole = {
      trace_id: 't-9',
      media_id: 'm-9',
      attachment_url: 'https://files.example.com/x',
      blob_path: 'a/b',
      status_subtype: 'x',
      file_type: 'ESX',
      assignment_id: 'A-1',
      status: 'completed',
      created_at: '2026-01-01T00:00:00Z',
    };
    const [result] = await played(
      `config: rules.yaml
stage: result_process
messages:
  a: { $file: a.json }
  b: { $like: a, status: failed_permanent, $context: { headers: { source: x }, retry_count: 9, event_id: own } }
  c: { $like: b, retry_count: 7 }
cases:
  - name: files and likeness
    with: { plugins: { failure_alerter: { when: 'retry_count == 9 && headers["source"] == "x"' } } }
    in: 'abc|'
    expect:
      out: 'abc|'
      publish esx: { marbles: a, content: { a: { trace_id: t-9, media_id: m-9 } } }
      publish alerts: { marbles: '--c', content: { c: { retry_count: 7 } } }
`,
      { 'a.json': JSON.stringify(whole) },
    );
    expect(result?.problems).toEqual([]);
    expect(result?.diagnostics).toEqual([]);
  });

  it('plays plugins that stand in the spec itself', async () => {
    const [result] = await played(`plugins:
  - name: webhook_notification
    stages: [result_process]
    config: { webhook_url: 'https://hooks.example.com/x' }
stage: result_process
start: 2026-01-05T09:00:00Z
messages: { p: {} }
mocks: { 'webhook POST https://hooks.example.com/*': ['5ms 503', '5ms 200'] }
cases:
  - name: a webhook is called again when its server is unwell
    in: 'p 300ms |'
    ignore: [delivered]
    expect:
      out: 'p 300ms |'
      webhook POST https://hooks.example.com/x: { marbles: 'p 104ms p', content: { p: { timestamp: '2026-01-05T09:00:00.000Z' } } }
`);
    expect(result?.problems.map(({ text }) => text)).toEqual([]);
  });

  it('names a plugin that never answers, by the time limit that ends its call', async () => {
    const text = await told(
      `config: own.yaml
stage: result_process
messages: { p: {} }
cases:
  - name: it hangs
    in: 'p|'
    expect: { out: 'p|' }
`,
      {
        'own.yaml': 'plugins:\n  - name: hanging\n    module: ./hanging.mjs\n    timeout: 3s\n    on_error: dlq\n',
        'hanging.mjs':
          'const spec = { name: "hanging", version: "1.0.0", summary: "", make: () => ({ call: () => new Promise(() => {}) }) };\nexport default { spec };\n',
      },
    );
    expect(text).toMatch(
      /lane "failed", which is not drawn[\s\S]*\+ extra {4}p@3000ms {2}plugin hanging failed: hanging did not answer within 3000 ms/,
    );
    expect(text).toContain('plugins: hanging timeout 1');
  });

  it('fails when a mock is never asked, and when a promise is rejected that nobody listens to', async () => {
    const text = await told(`${HEAD}
  - name: another address
    mocks: { publish alert: 2ms ok }
    in: 'f|'
    expect: { out: 'f|', publish alerts: 'f' }
`);
    expect(text).toContain('a.marbles.yaml:11:14\n  no action asked the mock "publish alert"');
    const stray = await told(
      `config: own.yaml
stage: result_process
messages: { p: {} }
cases:
  - name: it forgets a promise
    in: 'p|'
    expect: { out: 'p|' }
`,
      {
        'own.yaml': 'plugins:\n  - name: careless\n    module: ./careless.mjs\n',
        'careless.mjs':
          'const spec = { name: "careless", version: "1.0.0", summary: "", make: () => ({ call: () => void Promise.reject(new Error("lost")) }) };\nexport default { spec };\n',
      },
    );
    expect(stray).toContain('a promise was rejected and nobody listens to it: lost');
  });

  it('names a server that a plugin wanted to reach: a network does not follow a drawn clock', async () => {
    const text = await told(
      `config: own.yaml
stage: result_process
messages: { p: {} }
cases:
  - name: it calls somebody
    in: 'p|'
    expect: { out: 'p|' }
`,
      {
        'own.yaml': 'plugins:\n  - name: calling\n    module: ./calling.mjs\n',
        'calling.mjs':
          'import { connect } from "node:net";\nconst call = () => new Promise((resolve, reject) => connect(9, "127.0.0.1").on("error", reject).on("connect", resolve));\nexport default { spec: { name: "calling", version: "1.0.0", summary: "", make: () => ({ call }) } };\n',
      },
    );
    expect(text).toContain('a connection to 127.0.0.1:9 was asked for while time is virtual');
  });
});
