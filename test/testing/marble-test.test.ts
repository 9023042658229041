import { afterAll, describe, expect, it } from 'vitest';
import { failureAlerter } from '../../plugins/failure-alerter.js';
import { webhookNotification } from '../../plugins/webhook-notification.js';
import { filterOut } from '../../operators/index.js';
import { marbleCase, marbleTest, MarblesError, mockWebhook, recordedActions, workerOnLog, xactContext } from '../../src/testing/index.js';
import { testOf } from '../../src/testing/kit/marble-test.js';
import { worker } from '../../src/runtime/worker.js';
import type { LogRecord } from '../../src/transport/transport.js';

const m = { c: xactContext({ status: 'completed' }), f: xactContext({ status: 'failed_permanent', retry_count: 4 }) };
const hookUrl = 'https://hooks.example.com/n';
const failure = async (run: Promise<unknown>): Promise<Error> => {
  const error: unknown = await run.then(
    () => new Error('it passed'),
    (thrown: unknown) => thrown,
  );
  return error as Error;
};

let ran = 0;
marbleTest('alerts once per permanent failure', async (t) => {
  ran += 1;
  const chain = t.chain(failureAlerter({ topic: 'xact.alerts.failures', min_retries: 3 }));
  t.in('c-f---f 5ms |', m);
  await t
    .expect(chain)
    .out('c-f---f 5ms |')
    .publish('xact.alerts.failures', '--f---f', (payload: { severity: string }) => payload.severity === 'medium')
    .nothingElse();
});

marbleTest('a webhook is tried again as its answers say', (t) => {
  ran += 1;
  const hook = mockWebhook(t, `POST ${hookUrl}`, ['2ms 503', '2ms 503', '2ms 200']);
  t.in('c|', m);
  t.expect(t.chain(webhookNotification({ webhook_url: hookUrl })), { perform: { retry: { attempts: 3, base: 10, cap: 100 } } })
    .out('c|')
    .webhook(`POST ${hookUrl}`, 'c 11ms c 21ms c')
    .delivered('36ms c');
  expect(hook.calls).toEqual([]);
});

marbleTest.skip('a case that is left out', () => {
  ran += 1;
});

afterAll(() => expect(ran).toBe(2));

describe('a case', () => {
  it('fails where a claim about a lane does not hold, and says of what', async () => {
    const alert = (check: (payload: { severity: string }) => unknown) =>
      marbleCase((t) => {
        t.in('f|', m);
        t.expect(failureAlerter()).out('f|').publish('xact.alerts.failures', 'f', check);
      });
    expect((await failure(alert(({ severity }) => severity === 'high'))).message).toMatch(
      /^publish xact.alerts.failures, 0 ms: f is not as it should be: \{\s*alert_type/,
    );
    expect((await failure(alert(({ severity }) => expect(severity).toBe('high')))).message).toMatch(/expected 'medium' to be 'high'/);
    await alert(({ severity }) => expect(severity).toBe('medium'));
  });

  it('fails where a lane receives something that is not named', async () => {
    const error = await failure(
      marbleCase((t) => {
        t.in('f|', m).expect(failureAlerter()).out('f|');
      }),
    );
    expect(error).toBeInstanceOf(MarblesError);
    expect(error.message).toMatch(/^publish xact.alerts.failures, 0 ms: expected nothing, received f/);
    await marbleCase((t) => {
      t.in('f|', m).expect(failureAlerter()).out('f|').ignore('publish *');
    });
  });

  it('without an expectation fails', async () => {
    expect((await failure(marbleCase(() => undefined))).message).toMatch(/^nothing is expected in this case/);
  });

  it('is played once, whether or not somebody waits for it', async () => {
    let plays = 0;
    await marbleCase(async (t) => {
      const expecting = t
        .in('a|')
        .expect((source) => {
          plays += 1;
          return source;
        })
        .out('a|');
      const [first, second] = await Promise.all([expecting.nothingElse(), expecting.nothingElse()]);
      expect(first).toBe(second);
    });
    expect(plays).toBe(1);
    const unwaited = failure(
      marbleCase((t) => {
        void t
          .in('a|')
          .expect((source) => source)
          .out('b|')
          .nothingElse();
      }),
    );
    expect((await unwaited).message).toMatch(/^out, 0 ms: expected b, received a/);
  });

  it('has doors with reasons, tolerances, and lanes in any order', async () => {
    const drop = filterOut((value: string) => value !== 'a', 'unwanted');
    await marbleCase((t) => {
      t.in('a 9ms b|').expect(drop).out('a 10ms |').filtered('10ms b', 'unwanted');
    });
    const wrong = marbleCase((t) => {
      t.in('a 9ms b|').expect(drop).out('a 10ms |').filtered('10ms b', /other/);
    });
    expect((await failure(wrong)).message).toMatch(/^filtered: b left for the reason "unwanted", expected \/other\//);
    await marbleCase((t) => {
      t.in('ab|').expect(drop).out('a-|').filtered('--b').tolerance(1, 'filtered');
      t.expect(drop).out('a-|').filtered('b').tolerance(1);
    });
    await marbleCase((t) => {
      t.in('bc|').expect(drop).out('--|').filtered('cb').unordered('filtered');
    });
  });

  it('tells letters of contents apart from those of items', async () => {
    const payload = {
      alert_type: 'download_failure',
      severity: 'medium',
      trace_id: 't-1',
      assignment_id: 'A-1',
      error_message: null,
      retry_count: 4,
      http_status: null,
    };
    await marbleCase((t) => {
      t.in('f|', m).expect(failureAlerter()).out('f|').publish('xact.alerts.failures', 'x', { x: payload });
    });
    const other = marbleCase((t) => {
      t.in('f|', m)
        .expect(failureAlerter())
        .out('f|')
        .publish('xact.alerts.failures', 'x', { x: { ...payload, severity: 'low' } });
    });
    expect((await failure(other)).message).toMatch(/expected x, received f/);
  });

  it('knows the calls of its mocks, and its actions for snapshots', async () => {
    let calls: readonly { readonly at: number; readonly body: unknown }[] = [];
    await marbleCase(async (t) => {
      const hook = mockWebhook(t, `POST ${hookUrl}`, '2ms ok');
      t.in('c-c|', m);
      const play = await t
        .expect(webhookNotification({ webhook_url: hookUrl, include_payload: false }))
        .out('c-c|')
        .webhook(`POST ${hookUrl}`, 'c-c')
        .nothingElse();
      ({ calls } = hook);
      expect(recordedActions(play)).toEqual([
        { at: 0, action: `webhook POST ${hookUrl}`, content: calls[0]!.body },
        { at: 2, action: `webhook POST ${hookUrl}`, content: calls[1]!.body },
      ]);
    });
    expect(calls).toMatchObject([
      { at: 0, body: { event_id: 't-1' } },
      { at: 2, body: { event_id: 't-1' } },
    ]);
  });

  it('fails when nobody asked one of its mocks', async () => {
    const mistyped = marbleCase((t) => {
      mockWebhook(t, 'POST https://hooks.example.com/m', '2ms 503');
      t.in('c|', m)
        .expect(webhookNotification({ webhook_url: hookUrl }))
        .out('c|')
        .webhook(`POST ${hookUrl}`, 'c');
    });
    expect((await failure(mistyped)).message).toMatch(/^nobody asked "webhook POST https:\/\/hooks.example.com\/m"/);
  });

  it('is of a whole worker as well', () =>
    marbleCase((t) => {
      t.in('ab-----|')
        .expect(
          workerOnLog(({ source, signal }) =>
            worker<LogRecord>({
              name: 'w',
              source,
              signal,
              steps: filterOut(({ key }) => String(key) === 'b', 'unwanted'),
              failures: (failures$) => failures$,
            }),
          ),
        )
        .drain('---!')
        .delivered('a')
        .filtered('-b', 'unwanted')
        .taken('ab')
        .commit('ab');
    }));

  it('refuses lanes that are drawn twice', async () => {
    expect((await failure(marbleCase((t) => void t.in('a|').in('b|')))).message).toMatch(/"in" is drawn twice/);
    expect(
      (
        await failure(
          marbleCase(
            (t) =>
              void t
                .in('a|')
                .expect((source) => source)
                .out('a|')
                .out('b|'),
          ),
        )
      ).message,
    ).toMatch(/"out" is drawn twice/);
  });
});

describe.concurrent('tests that run at the same time', () => {
  it('are no place for a marble test', async (context) => {
    const run = testOf(
      'mine',
      (t) =>
        void t
          .in('a|')
          .expect((source) => source)
          .out('a|'),
    );
    expect((await failure(run(context))).message).toMatch(/^"mine" runs at the same time as others \(test.concurrent\)/);
    await run({ task: { concurrent: false } });
  });
});
