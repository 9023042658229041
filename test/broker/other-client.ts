import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('./OtherClient.java', import.meta.url));

/** A record without its place, as two implementations can be compared by. */
export interface PlainRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [string, Buffer])[];
}

/** Kafka's own producer and consumer, in a Java process: what they write must be read here, and what is written here by them. */
export class OtherClient {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly waiting: { readonly lines: string[]; resolve(lines: readonly string[]): void; reject(error: Error): void }[] = [];
  private errors = '';

  constructor(classPath: string, brokers: readonly string[]) {
    const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error';
    this.child = spawn('java', ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', quiet, '-cp', classPath, SOURCE, brokers.join(',')]);
    createInterface({ input: this.child.stdout }).on('line', (line) => this.hear(line));
    this.child.stderr.on('data', (bytes: Buffer) => {
      this.errors = `${this.errors}${bytes.toString()}`.slice(-4000);
    });
    this.child.on('exit', () => {
      for (const { reject } of this.waiting.splice(0)) reject(new Error(`the other client has ended: ${this.errors}`));
    });
  }

  /** Writes to partition 0, packed by the codec. */
  async write(codec: string, topic: string, records: readonly PlainRecord[]): Promise<void> {
    await this.ask(`write ${codec} ${topic}\n${records.map((record) => `${textOf(record)}\n`).join('')}.\n`);
  }

  /** All of partition 0. */
  async read(topic: string): Promise<readonly PlainRecord[]> {
    return (await this.ask(`read ${topic}\n`)).map(recordIn);
  }

  stop(): void {
    this.child.kill('SIGKILL');
  }

  private ask(text: string): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ lines: [], resolve, reject });
      this.child.stdin.write(text);
    });
  }

  /** Answers come in the order of the questions. */
  private hear(line: string): void {
    const first = this.waiting[0];
    if (line !== '.' && !line.startsWith('error ')) {
      first?.lines.push(line);
      return;
    }
    this.waiting.shift();
    if (line === '.') first?.resolve(first.lines);
    else first?.reject(new Error(`the other client: ${line}`));
  }
}

function textOf({ key, value, headers }: PlainRecord): string {
  return [word(key), word(value), ...headers.map(([name, bytes]) => `${word(Buffer.from(name))}:${word(bytes)}`)].join(' ');
}

function recordIn(line: string): PlainRecord {
  const [key, value, ...headers] = line.split(' ');
  return {
    key: bytesIn(key!),
    value: bytesIn(value!),
    headers: headers.map((header) => {
      const [name, bytes] = header.split(':');
      return [bytesIn(name!)!.toString(), bytesIn(bytes!)!] as const;
    }),
  };
}

function word(bytes: Buffer | null): string {
  if (bytes === null) return '-';
  return bytes.length === 0 ? '=' : bytes.toString('base64');
}

function bytesIn(text: string): Buffer | null {
  return text === '-' ? null : Buffer.from(text === '=' ? '' : text, 'base64');
}
