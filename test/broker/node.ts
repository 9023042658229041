import { type ChildProcess, spawn } from 'node:child_process';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { cacheOf, command } from './artifacts.js';
import type { NodeLayout } from './properties.js';

/**
 * Runs the broker as a child of a shell that holds our end of a pipe: when this process dies, however it dies, the pipe closes and the broker is
 * killed. The shell's first line is the broker's own id.
 */
const GUARD = `exec 3<&0
"$@" </dev/null 3<&- &
pid=$!
echo "pid $pid"
{ cat <&3 >/dev/null; kill -9 $pid 2>/dev/null; } &
wait $pid
code=$?
exit $code`;

const READY_MS = 90_000;

/** Flags of a virtual machine that starts soon and stays small. */
const SMALL = ['-Xms64m', '-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'];
const LOGGER = 'org.slf4j.simpleLogger';
const LOGGING = [
  `-D${LOGGER}.defaultLogLevel=warn`,
  `-D${LOGGER}.showDateTime=true`,
  `-D${LOGGER}.dateTimeFormat=HH:mm:ss.SSS`,
  `-D${LOGGER}.log.kafka.server.KafkaRaftServer=info`,
  `-D${LOGGER}.log.org.apache.kafka.server.KafkaRaftServer=info`,
];

export interface NodeOptions {
  readonly layout: NodeLayout;
  readonly version: string;
  readonly classPath: string;
}

/** One broker of a cluster. */
export class BrokerNode {
  private shell: ChildProcess | undefined;
  private gone: Promise<void> = Promise.resolve();
  private output = '';
  private pid: number | undefined;
  private archiving: { readonly from: string; readonly to: string } | undefined;

  constructor(private readonly options: NodeOptions) {}

  get id(): number {
    return this.options.layout.id;
  }

  /** What it has printed since it was started last. */
  get log(): string {
    return this.output;
  }

  /** Where its logs lie: a folder for each topic-partition. */
  get data(): string {
    return join(this.options.layout.directory, 'data');
  }

  get running(): boolean {
    return this.shell !== undefined;
  }

  /** Starts it on its data, and waits until it serves. */
  async up(): Promise<void> {
    if (this.shell !== undefined) return;
    const { layout, classPath } = this.options;
    const args = [...SMALL, ...LOGGING, ...(await this.archiveFlags()), '-cp', classPath, 'kafka.Kafka'];
    this.output = '';
    const shell = spawn('bash', ['-c', GUARD, 'guard', 'java', ...args, join(layout.directory, 'server.properties')], {
      cwd: layout.directory,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.shell = shell;
    this.pid = undefined;
    this.gone = new Promise((resolve) => {
      shell.once('exit', () => {
        this.shell = undefined;
        shell.stdin.destroy();
        resolve();
      });
    });
    await this.ready(shell);
  }

  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void> {
    return this.end('SIGKILL');
  }

  /** SIGTERM; resolves when it is gone. One that has no quorum left to say good-bye to is killed after eight seconds. */
  async term(): Promise<void> {
    const timer = setTimeout(() => void this.end('SIGKILL'), 8000);
    await this.end('SIGTERM');
    clearTimeout(timer);
  }

  /** Ends it for good; the first of its version ends in good order, because it writes the class archive then. */
  async retire(): Promise<void> {
    if (this.archiving === undefined) return this.kill();
    const { from, to } = this.archiving;
    await this.term();
    if (existsSync(from)) await rename(from, to);
  }

  /** SIGSTOP and SIGCONT: it hangs, and goes on. */
  freeze(on: boolean): void {
    if (this.pid !== undefined) process.kill(this.pid, on ? 'SIGSTOP' : 'SIGCONT');
  }

  /** Resident memory in bytes. */
  async memory(): Promise<number> {
    const status = await readFile(`/proc/${this.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
  }

  private async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (this.shell === undefined || this.pid === undefined) return;
    try {
      process.kill(this.pid, signal);
    } catch (error) {
      // It has just ended by itself: that is what was asked for.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    await this.gone;
  }

  private ready(shell: ChildProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (why: string) => {
        clearTimeout(timer);
        reject(new Error(`broker ${this.id} of Kafka ${this.options.version} ${why}:\n${this.output.slice(-4000)}`));
      };
      const timer = setTimeout(() => fail(`was not ready after ${READY_MS} ms`), READY_MS);
      const read = (bytes: Buffer) => {
        this.output = `${this.output}${bytes.toString()}`.slice(-200_000);
        this.pid ??= Number(/^pid (\d+)$/m.exec(this.output)?.[1] ?? Number.NaN) || undefined;
        // Written when the broker has left its fence: from then on it serves.
        if (!this.output.includes('Kafka Server started')) return;
        clearTimeout(timer);
        resolve();
      };
      shell.stdout!.on('data', read);
      shell.stderr!.on('data', read);
      shell.once('error', (error) => fail(`could not be started (${error.message})`));
      shell.once('exit', (code) => fail(`ended with ${code} while starting`));
    });
  }

  /** A class archive halves the time of a start; it is made once, and names the machine and version that it fits. */
  private async archiveFlags(): Promise<readonly string[]> {
    const { version, classPath } = this.options;
    const java = await command('java', ['-version'], '.');
    const fits = createHash('sha256').update(java).update(classPath).digest('hex').slice(0, 12);
    const archive = join(cacheOf(version), `classes-${fits}.jsa`);
    if (existsSync(archive)) return [`-XX:SharedArchiveFile=${archive}`];
    if (this.id !== 1) return [];
    this.archiving = { from: `${archive}.${process.pid}`, to: archive };
    return [`-XX:ArchiveClassesAtExit=${this.archiving.from}`];
  }
}

/** Writes what a node needs before its first start; `scram` makes users of that mechanism. */
export async function formatNode({ layout, classPath }: NodeOptions, properties: string, scram: Readonly<Record<string, string>>) {
  const file = join(layout.directory, 'server.properties');
  await writeFile(file, properties);
  const users = Object.entries(scram).flatMap(([name, password]) => [
    '--add-scram',
    `SCRAM-SHA-256=[name=${name},password=${password}]`,
    '--add-scram',
    `SCRAM-SHA-512=[name=${name},password=${password}]`,
  ]);
  const flags = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', `-D${LOGGER}.defaultLogLevel=error`];
  const format = ['kafka.tools.StorageTool', 'format', '-t', 'UGVuc3RvY2tUZXN0QnJrcg', '-c', file, '--ignore-formatted', ...users];
  await command('java', [...flags, '-cp', classPath, ...format], layout.directory);
}
