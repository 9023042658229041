import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('./LeaderMover.java', import.meta.url));

interface Waiting {
  readonly resolve: (leader: number) => void;
  readonly reject: (error: Error) => void;
}

/** A Java process with Kafka's own admin client, which moves partitions: far quicker than a new process for each move. */
export class LeaderMover {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly waiting: Waiting[] = [];
  private rest = '';
  private errors = '';

  constructor(classPath: string, brokers: readonly string[]) {
    const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error';
    this.child = spawn('java', ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', quiet, '-cp', classPath, SOURCE, brokers.join(',')]);
    this.child.stdout.on('data', (bytes: Buffer) => this.read(bytes.toString()));
    this.child.stderr.on('data', (bytes: Buffer) => {
      this.errors = `${this.errors}${bytes.toString()}`.slice(-4000);
    });
    this.child.on('exit', () => {
      for (const { reject } of this.waiting.splice(0)) reject(new Error(`the leader mover has ended: ${this.errors}`));
    });
  }

  /** Answers come in the order of the questions. */
  move(topic: string, partition: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.child.stdin.write(`${topic} ${partition}\n`);
    });
  }

  stop(): void {
    this.child.kill('SIGKILL');
  }

  private read(text: string): void {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop()!;
    for (const line of lines) {
      const next = this.waiting.shift();
      const leader = /^leader (\d+)$/.exec(line)?.[1];
      if (leader === undefined) next?.reject(new Error(`the leader was not moved: ${line}`));
      else next?.resolve(Number(leader));
    }
  }
}
