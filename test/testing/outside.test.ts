import dgram from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setInterval as fromNode, setTimeout as laterFromNode } from 'node:timers';
import { scheduler, setInterval as each, setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { interval, Observable, tap } from 'rxjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { callEach, type Delivery } from '../../operators/index.js';
import { definePlugin } from '../../src/plugin/index.js';
import { type Lanes, marbles, MarblesError, type MarblesOptions, type MarbleSubject, playMarbles } from '../../src/testing/index.js';
import '../../src/domains/xact/stages.js';

type Call = (value: string) => void | Promise<unknown>;
const calling = (call: Call): MarbleSubject => callEach(async (value: string) => void (await call(value)));
const problems = async (subject: MarbleSubject, lanes: Lanes, options?: MarblesOptions): Promise<readonly string[]> =>
  (await playMarbles(subject, lanes, options)).problems.map(({ text }) => text);

describe('timers, wherever they were imported from', () => {
  const ways: Readonly<Record<string, Call>> = {
    'node:timers': () => new Promise((resolve) => laterFromNode(resolve, 3)),
    'node:timers, by require': () =>
      new Promise((resolve) => (createRequire(import.meta.url)('timers') as { setTimeout: typeof setTimeout }).setTimeout(resolve, 3)),
    'node:timers/promises': () => sleep(3, 'value'),
    'the scheduler of node:timers/promises': () => scheduler.wait(3),
    promisify: () => promisify(setTimeout)(3),
    'AbortSignal.timeout': async () => once(AbortSignal.timeout(3), 'abort'),
    'an interval of node:timers/promises': async () => {
      let seen = 0;
      for await (const value of each(1, 'x')) if (value === 'x' && (seen += 1) === 3) break;
    },
  };
  it.each(Object.entries(ways))('%s', (_, call) => marbles(calling(call), { in: 'a-----|', out: '---a--|' }));

  it('are put back', async () => {
    await marbles(
      calling(() => undefined),
      { in: 'a|', out: 'a|' },
    );
    const began = performance.now();
    await sleep(5);
    await new Promise((resolve) => laterFromNode(resolve, 5));
    expect(performance.now() - began).toBeGreaterThan(8);
    expect(AbortSignal.timeout(60_000).aborted).toBe(false);
  });

  it('a promise of a timer can be called off', async () => {
    const seen: unknown[] = [];
    const calledOff = calling(async () => {
      const controller = new AbortController();
      setTimeout(() => controller.abort('enough'), 2);
      await sleep(9, undefined, { signal: controller.signal }).catch((error: unknown) => seen.push(error));
      await sleep(9, undefined, { signal: AbortSignal.abort('no') }).catch((error: unknown) => seen.push(error));
    });
    await marbles(calledOff, { in: 'a-----|', out: '--a---|' });
    expect(seen).toMatchObject([
      { name: 'AbortError', code: 'ABORT_ERR', cause: 'enough' },
      { name: 'AbortError', code: 'ABORT_ERR', cause: 'no' },
    ]);
  });

  it('fake timers of somebody else are named', async () => {
    vi.useFakeTimers();
    try {
      await expect(
        marbles(
          calling(() => undefined),
          { in: 'a|' },
        ),
      ).rejects.toThrow(/timers of the process were replaced/);
    } finally {
      vi.useRealTimers();
    }
    await marbles(
      calling(() => undefined),
      { in: 'a|', out: 'a|' },
    );
  });
});

describe('connections', () => {
  const servers: net.Server[] = [];
  afterEach(() => {
    for (const open of servers.splice(0)) open.close();
  });
  const server = async (): Promise<number> => {
    const http = createServer((_, response) => response.end('here'));
    servers.push(http);
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    return (http.address() as AddressInfo).port;
  };

  it('are refused, and fail the case even when the subject does not mind', async () => {
    const port = await server();
    const url = `http://127.0.0.1:${port}/`;
    const errors: unknown[] = [];
    const asking = calling(async () => {
      await fetch(url).catch((error: unknown) => errors.push((error as Error).cause));
    });
    expect(await problems(asking, { in: 'a-|', out: 'a-|' })).toEqual([
      `a connection to 127.0.0.1:${port} was asked for while time is virtual: answer the action by a mock`,
    ]);
    expect(errors).toMatchObject([{ code: 'PS5003' }]);
    expect(await (await fetch(url)).text()).toBe('here');
  });

  it.each<[string, (port: number) => net.Socket, RegExp]>([
    ['by port', (port) => net.connect(port), /to localhost:[0-9]+ was/],
    ['by port and host', (port) => net.connect(port, '127.0.0.1'), /to 127.0.0.1:[0-9]+ was/],
    ['by path', () => net.connect('/nowhere/socket'), /to \/nowhere\/socket was/],
    ['with TLS', (port) => tls.connect(port, '127.0.0.1'), /to 127.0.0.1:[0-9]+ was/],
    ['of a socket that is there', (port) => new net.Socket().connect({ port, host: '127.0.0.1' }), /to 127.0.0.1:[0-9]+ was/],
  ])('are refused %s', async (_, connect, message) => {
    const port = await server();
    const socket = calling(() => new Promise((resolve) => connect(port).once('error', resolve)));
    expect(await problems(socket, { in: 'a-|', out: 'a-|' })).toEqual([expect.stringMatching(message)]);
  });

  it('are refused of clients that listen only afterwards, and of datagrams', async () => {
    const errors: unknown[] = [];
    const refused = (error: unknown): void => void errors.push(error);
    const asking = calling(async () => {
      await new Promise<void>((resolve) => {
        https.get('https://127.0.0.1:1/').on('error', (error) => resolve(refused(error)));
      });
      const socket = dgram.createSocket('udp4');
      await new Promise<void>((resolve) => {
        socket.send('x', 9, '127.0.0.1', (error) => resolve(refused(error)));
      });
      await new Promise<void>((resolve) => {
        socket.once('error', (error) => resolve(refused(error))).send('x', 9, '127.0.0.1');
      });
    });
    expect(await problems(asking, { in: 'a-|', out: 'a-|' })).toHaveLength(3);
    expect(errors).toMatchObject([{ code: 'PS5003' }, { code: 'PS5003' }, { code: 'PS5003' }]);
  });

  it('names are looked up in no time', () =>
    marbles(
      beside(
        calling(() => lookup('localhost')),
        interval(1),
      ),
      { in: 'a-----|', out: 'a-----|' },
    ));
});

describe('what a drawing cannot time', () => {
  it('reads files in no time', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'marbles-'));
    try {
      await writeFile(join(folder, 'a'), 'text');
      const reading = calling(async () => {
        for (let times = 0; times < 5; times += 1) expect(await readFile(join(folder, 'a'), 'utf8')).toBe('text');
      });
      await marbles(beside(reading, interval(1)), { in: 'a-----|', out: 'a-----|' });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('names an item that awaits what nobody can see', async () => {
    const [text] = await problems(
      calling(() => new Promise(() => undefined)),
      { in: '-a--' },
    );
    expect(text).toBe(
      'a entered at 1 ms and never left: nobody settled, failed or released it, and after 1 ms nothing is left that could: it was dropped, or awaits something that is neither a timer nor a promise of this test',
    );
  });

  it('names what the process is doing meanwhile', async () => {
    const began = globalThis.setTimeout;
    let handle: NodeJS.Timeout | undefined;
    const real = calling(() => new Promise((resolve) => (handle = began(resolve, 60_000))));
    const [text] = await problems(real, { in: '-a--' });
    clearTimeout(handle);
    expect(text).toMatch(/neither a timer nor a promise of this test \(the process is at Timeout\)$/);
  });

  it('names the plugin that did not answer', async () => {
    const hanging = definePlugin({
      name: 'hanging',
      version: '1.0.0',
      summary: 'Never answers.',
      domains: ['xact'],
      stages: ['result_process'],
      create: () => () => new Promise<void>(() => undefined),
    });
    const texts = await problems(hanging(), { in: 'a|', out: 'a|' }, { context: { stage: 'result_process' } });
    expect(texts).toEqual([
      'out, 0 ms: expected a, received nothing',
      'plugin hanging did not answer in its time: it awaits something that is neither a timer nor a promise of this test, or too long a timer',
    ]);
  });

  it('names timers that are left over, but not those that keep nothing alive', async () => {
    const handles: NodeJS.Timeout[] = [];
    const leaving: MarbleSubject = (source) => {
      handles.push(
        setInterval(() => undefined, 7),
        fromNode(() => undefined, 7).unref(),
      );
      return source;
    };
    expect(await problems(leaving, { in: 'a|', out: 'a|' })).toEqual([
      'a timer is left over, set at 0 ms to fire every 7 ms: nobody cleared it when the subject was left (or another test set it that runs at the same time)',
    ]);
    expect(handles).toHaveLength(2);
  });

  it('says nothing of timers that whoever leaves clears, nor of those that fire afterwards', async () => {
    const tidy: MarbleSubject = (source) => beside((given) => given, interval(3))(source as never);
    await marbles(tidy, { in: 'a-', out: 'a-' });
    const settling: MarbleSubject = (source: Observable<Delivery<string>>) =>
      source.pipe(
        tap((delivery) => delivery.whenSettled(() => setTimeout(() => undefined, 5))),
        callEach(() => new Promise(() => undefined)),
      );
    await marbles(settling, { in: 'a---|', sub: '^-!', released: '--a' });
  });
});

/** A subject beside which something else ticks. */
function beside(subject: MarbleSubject, ticking: Observable<unknown>): (source: Observable<never>) => Observable<unknown> {
  return (source) => {
    const made = (subject as (source: Observable<never>) => Observable<unknown>)(source);
    return new Observable((subscriber) => {
      const other = ticking.subscribe();
      return made.subscribe(subscriber).add(() => other.unsubscribe());
    });
  };
}

it('a failure is an error of its own kind', async () => {
  await expect(
    marbles(
      calling(() => new Promise(() => undefined)),
      { in: 'a' },
    ),
  ).rejects.toBeInstanceOf(MarblesError);
});
