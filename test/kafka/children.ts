import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { until } from '../transport/collector.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Makes one JavaScript file of a program in this folder; answers its path. */
export async function bundleChild(program: string): Promise<string> {
  const outDir = join(ROOT, 'node_modules', '.penstock-test', `kafka-${program}-${process.pid}`);
  await build({
    root: ROOT,
    configFile: false,
    logLevel: 'error',
    build: { ssr: join(ROOT, 'test', 'kafka', `${program}.ts`), outDir, emptyOutDir: true, minify: false, target: 'node20' },
  });
  return join(outDir, `${program}.js`);
}

/** A worker process and what it has said. */
export class Worker {
  readonly handedOut: string[] = [];
  readonly settled: string[] = [];
  readonly warnings: string[] = [];
  readonly faults: string[] = [];
  drained = false;
  /** When it last handed something out, in milliseconds since 1970. */
  movedAt = Date.now();
  private isReady = false;
  private readonly process: ChildProcess;
  private readonly ended: Promise<unknown>;

  constructor(program: string, args: readonly string[]) {
    this.process = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: this.process.stdout! });
    lines.on('line', (line) => this.hear(line[0]!, line.slice(2), line));
    this.ended = Promise.all([once(lines, 'close'), once(this.process, 'exit')]);
  }

  ready(): Promise<void> {
    return until('a worker process', () => this.isReady, 60_000);
  }

  /** SIGKILL; resolves when all that it had said is read. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended;
  }

  /** SIGTERM; resolves when it has drained and ended. */
  async term(): Promise<void> {
    this.process.kill('SIGTERM');
    await this.ended;
  }

  /** Resident memory in bytes. */
  memory(): number {
    const status = readFileSync(`/proc/${this.process.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
  }

  private hear(kind: string, rest: string, line: string): void {
    if (line === 'ready') this.isReady = true;
    else if (line === 'drained') this.drained = true;
    else if (kind === 'd') {
      this.handedOut.push(rest);
      this.movedAt = Date.now();
    } else if (kind === 's') this.settled.push(rest);
    else if (kind === 'w') this.warnings.push(rest);
    else if (kind === 'f') this.faults.push(rest);
  }
}
