import dgram from 'node:dgram';
import net from 'node:net';
import { performance } from 'node:perf_hooks';
import { PenstockError } from '../diagnostics/index.js';
import { microtasksDrained } from './process-clock.js';

const realConnect = net.Socket.prototype.connect;
const realSend = dgram.Socket.prototype.send;
const realNow = performance.now.bind(performance);

/** Work on files, and names that are looked up, are waited for: they take no virtual time. */
const SHORT_WORK = /^(?:FSReq|CloseReq|GetAddrInfo|GetNameInfo)/;
/** What takes longer is no such work, but somebody who waits at a pipe: it is not waited for again. */
const LONGEST_MS = 2_000;

/** What stands outside of virtual time while a drawing is played: connections are refused, files are waited for, and what else is pending is named. */
export class Outside {
  private readonly before = counts();
  private readonly asked: string[] = [];
  private closed = false;
  private patient = true;
  private refusing = 0;

  /** Refuses connections from now on. */
  close(): void {
    this.closed = true;
    const refuse = (place: string, tell: (error: PenstockError) => void): void => this.refuse(place, tell);
    net.Socket.prototype.connect = function (this: net.Socket, ...args: unknown[]) {
      refuse(placeOf(args), (error) => this.destroy(error));
      return this;
    } as typeof realConnect;
    dgram.Socket.prototype.send = function (this: dgram.Socket, ...args: unknown[]) {
      const callback = args.findLast((arg) => typeof arg === 'function') as ((error: Error) => void) | undefined;
      refuse('a datagram’s address', (error) => (callback === undefined ? this.emit('error', error) : callback(error)));
    } as typeof realSend;
  }

  /** Lets connections be made again. May be called twice. */
  open(): void {
    if (this.closed) {
      net.Socket.prototype.connect = realConnect;
      dgram.Socket.prototype.send = realSend;
    }
    this.closed = false;
  }

  /** A turn later, as a network would: whoever connects has to be listening. */
  private refuse(place: string, tell: (error: PenstockError) => void): void {
    this.asked.push(place);
    this.refusing += 1;
    const error = new PenstockError('PS5003', `a connection to ${place} was asked for while time is virtual`, {
      category: 'permanent',
      help: 'answer the action by a mock, or hand the subject a function that only seems to connect',
    });
    void microtasksDrained().then(() => {
      this.refusing -= 1;
      tell(error);
    });
  }

  /** Where somebody wanted to connect to. */
  get refused(): readonly string[] {
    return this.asked;
  }

  /** Resolves when promises have settled and files were read. */
  async quiet(): Promise<void> {
    await microtasksDrained();
    const busy = (): boolean => this.refusing > 0 || isAtWork();
    if (!this.patient || !busy()) return;
    const began = realNow();
    while (busy() && this.patient) {
      await microtasksDrained();
      this.patient = realNow() - began < LONGEST_MS;
    }
    await microtasksDrained();
  }

  /** What is under way that was not before, as Node calls it. */
  pending(): readonly string[] {
    const now = counts();
    return [...now].filter(([name, count]) => count > (this.before.get(name) ?? 0)).map(([name]) => name);
  }
}

function isAtWork(): boolean {
  return process.getActiveResourcesInfo().some((name) => SHORT_WORK.test(name));
}

function counts(): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const name of process.getActiveResourcesInfo()) found.set(name, (found.get(name) ?? 0) + 1);
  return found;
}

/** Where a socket was to connect to: ports, options and paths come in many forms, `net.connect` hands them on as a list in a list. */
function placeOf(args: readonly unknown[]): string {
  const first: unknown = Array.isArray(args[0]) ? args[0][0] : args[0];
  if (typeof first === 'object' && first !== null) {
    const { host, port, path } = first as { readonly host?: string; readonly port?: number | string; readonly path?: string };
    return path ?? `${host ?? 'localhost'}:${port ?? '?'}`;
  }
  if (typeof first === 'string' && !/^[0-9]+$/.test(first)) return first;
  return `${typeof args[1] === 'string' ? args[1] : 'localhost'}:${String(first)}`;
}
