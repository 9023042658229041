import net from 'node:net';
import { performance } from 'node:perf_hooks';
import { PenstockError } from '../diagnostics/index.js';
import { microtasksDrained } from './process-clock.js';

const realConnect = net.Socket.prototype.connect;
const realNow = performance.now.bind(performance);

/** Work on files is waited for: it takes no virtual time. */
const FILES = /^(?:FSReq|CloseReq)/;
/** What takes longer is no work on a file, but somebody who waits at a pipe: it is not waited for again. */
const LONGEST_MS = 2_000;

/** What stands outside of virtual time while a drawing is played: connections are refused, files are waited for, and what else is pending is named. */
export class Outside {
  private readonly before = counts();
  private readonly asked: string[] = [];
  private closed = false;
  private patient = true;

  /** Refuses connections from now on. */
  close(): void {
    this.closed = true;
    const { asked } = this;
    const refuse = function (this: net.Socket, ...args: unknown[]): net.Socket {
      const place = placeOf(args);
      asked.push(place);
      this.destroy(
        new PenstockError('PS5003', `a connection to ${place} was asked for while time is virtual`, {
          category: 'permanent',
          help: 'answer the action by a mock, or hand the subject a function that only seems to connect',
        }),
      );
      return this;
    };
    net.Socket.prototype.connect = refuse as typeof realConnect;
  }

  /** Lets connections be made again. May be called twice. */
  open(): void {
    if (this.closed) net.Socket.prototype.connect = realConnect;
    this.closed = false;
  }

  /** Where somebody wanted to connect to. */
  get refused(): readonly string[] {
    return this.asked;
  }

  /** Resolves when promises have settled and files were read. */
  async quiet(): Promise<void> {
    await microtasksDrained();
    if (!this.patient || !worksOnFiles()) return;
    const began = realNow();
    while (worksOnFiles() && this.patient) {
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

function worksOnFiles(): boolean {
  return process.getActiveResourcesInfo().some((name) => FILES.test(name));
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
