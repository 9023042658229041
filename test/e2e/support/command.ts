import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { builtCommand } from './built.js';

export interface CommandOptions {
  /** What stands on standard input. */
  readonly input?: string | Buffer;
  readonly cwd?: string;
  /** Beside a bare environment: what this process has, the command does not see. */
  readonly env?: Readonly<Record<string, string>>;
  /** No file may grow beyond this many KiB. */
  readonly fileLimitKiB?: number;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs in a process of its own. */
export class Command {
  private out: Buffer[] = [];
  private err: Buffer[] = [];
  private readonly end: Promise<Ended>;
  private readonly watchers = new Set<() => void>();
  isOver = false;

  constructor(readonly process: ChildProcess) {
    const collect = (chunks: Buffer[]) => (chunk: Buffer) => {
      chunks.push(chunk);
      for (const watcher of this.watchers) watcher();
    };
    process.stdout!.on('data', collect(this.out));
    process.stderr!.on('data', collect(this.err));
    this.end = once(process, 'close').then(([code, signal]) => {
      this.isOver = true;
      for (const watcher of this.watchers) watcher();
      return { code: code as number | null, signal: signal as NodeJS.Signals | null, stdout: this.stdout, stderr: this.stderr };
    });
  }

  get pid(): number {
    return this.process.pid!;
  }

  get stdout(): string {
    return Buffer.concat(this.out).toString('utf8');
  }

  get stderr(): string {
    return Buffer.concat(this.err).toString('utf8');
  }

  ended(): Promise<Ended> {
    return this.end;
  }

  signal(name: NodeJS.Signals): void {
    this.process.kill(name);
  }

  /** Resolves when standard output or error holds this; rejects when the command ends without it. */
  says(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
        if (found === null && !this.isOver) return;
        this.watchers.delete(look);
        if (found === null) reject(new Error(`the command ended without saying ${pattern}:\n${this.stdout}\n${this.stderr}`));
        else resolve(found);
      };
      this.watchers.add(look);
      look();
    });
  }

  /** Kills at once; resolves when it is gone. Harmless when it has ended. */
  async kill(): Promise<Ended> {
    if (!this.isOver) this.process.kill('SIGKILL');
    return this.end;
  }
}

/** Starts the command as somebody would who has just installed it. */
export function start(args: readonly string[], { input, cwd, env = {}, fileLimitKiB }: CommandOptions = {}): Command {
  const bare = { PATH: process.env['PATH'] ?? '', NO_COLOR: '1', ...env };
  const whole = [builtCommand(), ...args];
  const limited = fileLimitKiB === undefined ? undefined : `ulimit -S -f ${fileLimitKiB} && exec "$0" "$@"`;
  const child =
    limited === undefined
      ? spawn(process.execPath, whole, { cwd, env: bare })
      : spawn('bash', ['-c', limited, process.execPath, ...whole], { cwd, env: bare });
  child.stdin.on('error', () => undefined); // a command that reads nothing closes it: nothing is lost by that
  child.stdin.end(input ?? '');
  return new Command(child);
}

export function run(args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  return start(args, options).ended();
}

/** Runs a command that must succeed; answers the last line of its output, parsed. */
export async function report<T = RunReport>(args: readonly string[], options: CommandOptions = {}): Promise<T> {
  const ended = await run(args, options);
  if (ended.code !== 0) throw new Error(`penstock ${args.join(' ')} ended with ${ended.code ?? ended.signal}:\n${ended.stderr}`);
  return lastLine<T>(ended);
}

export function lastLine<T = RunReport>({ stdout }: Pick<Ended, 'stdout'>): T {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as T;
}

export function jsonLines<T>({ stdout }: Pick<Ended, 'stdout'>): readonly T[] {
  const text = stdout.trimEnd();
  return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as T);
}

export type Doors = Readonly<Record<'delivered' | 'filtered' | 'retried' | 'dead_lettered' | 'released', number>>;

/** The last line of `run` and `dev`. */
export interface RunReport {
  readonly entered: number;
  readonly left: Doors;
  readonly workers: Readonly<Record<string, { readonly entered: number; readonly left: Doors }>>;
  readonly tables: Readonly<Record<string, number>>;
  readonly files: number;
  readonly actions: Readonly<Record<string, number>>;
  readonly plugins: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly seconds: number;
}

const sum = (doors: Doors): number => Object.values(doors).reduce((total, count) => total + count, 0);

/** What a report says of deliveries that went missing; nothing when each that entered has left. */
export function unbalanced(report: RunReport): readonly string[] {
  const wrong = Object.entries(report.workers).filter(([, { entered, left }]) => entered !== sum(left));
  const workers = Object.values(report.workers);
  const findings = wrong.map(([name, { entered, left }]) => `${name}: ${entered} entered, ${sum(left)} left`);
  if (report.entered !== sum(report.left)) findings.push(`${report.entered} entered, ${sum(report.left)} left`);
  if (report.entered !== workers.reduce((total, { entered }) => total + entered, 0))
    findings.push('the total is not the sum of the workers');
  for (const door of Object.keys(report.left) as (keyof Doors)[]) {
    if (report.left[door] !== workers.reduce((total, { left }) => total + left[door], 0))
      findings.push(`${door} is not the sum of the workers`);
  }
  return findings;
}
