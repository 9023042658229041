import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FileFaults, type FileServer, simulate, startFileServer } from '../../../src/simulator/index.js';
import { ROOT } from './built.js';
import { type Command, type CommandOptions, type Ended, type RunReport, report, run, start } from './command.js';

export interface WorkspaceOptions {
  readonly seed?: number;
  readonly faults?: Partial<FileFaults>;
  /** More of the pipeline file: each member stands beside the usual ones, or in their place. */
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly retryDelays?: readonly string[];
  /** Plugins of XACT in place of those that ship; none for those. */
  readonly plugins?: Readonly<Record<string, unknown>>;
  /** More hosts that the file server answers for. */
  readonly hosts?: readonly string[];
}

const POISON = { missing: 0.02, forbidden: 0.02, unavailable: 0.05, cut: 0.03, slow: 0.01 };

/** A folder with a pipeline file, a data directory and a server of simulated files on loopback that outlives the commands. */
export class Workspace {
  private readonly commands: Command[] = [];

  private constructor(
    readonly folder: string,
    readonly files: FileServer,
    readonly seed: number,
  ) {}

  static async open(options: WorkspaceOptions = {}): Promise<Workspace> {
    const { seed = 7, faults = POISON } = options;
    const folder = await mkdtemp(join(tmpdir(), 'penstock-e2e-'));
    await mkdir(join(folder, 'outside'));
    const files = await startFileServer({ directory: join(folder, 'server'), seed, faults, slowMs: 100 });
    const workspace = new Workspace(folder, files, seed);
    await cp(join(ROOT, 'config'), join(folder, 'config'), { recursive: true });
    await workspace.configure(options);
    return workspace;
  }

  get data(): string {
    return join(this.folder, 'data');
  }

  get config(): string {
    return join(this.folder, 'config', 'pipeline.yaml');
  }

  /** Writes another file beside the pipeline file. */
  async write(name: string, text: string): Promise<void> {
    await writeFile(join(this.folder, 'config', name), text);
  }

  /** Writes the pipeline file anew. */
  async configure({ settings = {}, retryDelays = ['50ms', '100ms', '200ms'], plugins, hosts = [] }: WorkspaceOptions = {}): Promise<void> {
    const served = [...this.files.hosts, ...hosts];
    const whole = {
      domains: ['xact'],
      kafka: {
        brokers: '',
        xact: {
          plugins: plugins ?? { enabled: true, config_path: 'xact_plugins.yaml' },
          retry_delays: retryDelays,
          topics: { work: { partitions: 4 }, retry: { partitions: 1 }, dead_letter: { partitions: 2 } },
        },
      },
      plugins: { enabled: true, config_path: 'plugins.yaml' },
      http: {
        allowed_hosts: served,
        resolve: Object.fromEntries(served.map((host) => [host, `127.0.0.1:${this.files.port}`])),
        min_bytes_per_second: 0,
        breaker: { open: '500ms' },
      },
      tables: { flush: '100ms', checkpoint_every: 10 },
      actions: { capture: true, attempts: 2, backoff: { base: '10ms', cap: '50ms' } },
      api: { port: 0 },
      log: { level: 'info' },
      ...settings,
    };
    // JSON is YAML too.
    await writeFile(this.config, JSON.stringify(whole, null, 2));
  }

  lines(events: number): readonly Buffer[] {
    return [...simulate({ seed: this.seed, events })];
  }

  /** Puts lines on the raw topic. */
  ingest(
    lines: readonly Buffer[],
    data = this.data,
  ): Promise<{ readonly read: number; readonly ingested: number; readonly dead_lettered: number }> {
    const input = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]));
    return report([...this.usual(data), 'ingest', '-', '--domain', 'xact'], { ...this.here, input });
  }

  start(args: readonly string[], options: CommandOptions & { readonly data?: string } = {}): Command {
    const command = start([...this.usual(options.data), ...args], { ...this.here, ...options });
    this.commands.push(command);
    return command;
  }

  run(args: readonly string[], options: CommandOptions & { readonly data?: string } = {}): Promise<Ended> {
    return run([...this.usual(options.data), ...args], { ...this.here, ...options });
  }

  /** Runs workers until nothing is left to do. */
  untilIdle(args: readonly string[] = [], data = this.data): Promise<RunReport> {
    return report([...this.usual(data), 'run', '--until-idle', '--no-api', ...args], this.here);
  }

  async close(): Promise<void> {
    await Promise.all(this.commands.map((command) => command.kill()));
    await this.files.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  private get here(): CommandOptions {
    return { cwd: join(this.folder, 'outside') };
  }

  private usual(data = this.data): readonly string[] {
    return ['--config', this.config, '--data', data, '--json'];
  }
}
