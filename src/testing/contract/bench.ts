import type { ConsumeOptions, LogRecord, Transport } from '../../transport/transport.js';
import { Collector } from './collector.js';

/** How the suite gets a log of its own, empty, and opens the same log again. */
export interface Subject {
  readonly transport: Transport;
  /** Another handle on the same log, as another process would have; undefined when it cannot be shared. */
  again?(): Promise<Transport>;
  /** Makes every write fail for want of room, until called with false; undefined where that cannot be had. */
  breakWrites?(broken: boolean): void;
  /** Throws the log away. */
  dispose(): Promise<void>;
}

/** What a subject cannot show. */
export type Lacking = 'faults';

let names = 0;

/** A name nobody has used before. */
export function fresh(stem: string): string {
  names += 1;
  return `${stem}.${names}`;
}

/** What the tests work with; all that it opened is closed by `clear`. */
export class Bench {
  private readonly subjects: Subject[] = [];
  private readonly collectors: Collector[] = [];

  constructor(
    readonly make: () => Promise<Subject>,
    readonly lacking: readonly Lacking[],
  ) {}

  readonly open = async (): Promise<Subject> => {
    const subject = await this.make();
    this.subjects.push(subject);
    return subject;
  };

  readonly topicOf = async (transport: Transport, partitions = 1, values: readonly string[] = []): Promise<string> => {
    const topic = fresh('topic');
    await transport.ensureTopics([{ name: topic, partitions }]);
    await transport.produce(values.map((value) => ({ topic, key: null, value, partition: 0 })));
    return topic;
  };

  readonly collect = (
    transport: Transport,
    options: Partial<ConsumeOptions> & { readonly topics: readonly string[]; readonly group: string },
  ): Collector => {
    const collector = new Collector(transport.consume({ credits: { count: 100, bytes: 1_000_000 }, ...options }));
    this.collectors.push(collector);
    return collector;
  };

  readonly readAll = async (transport: Transport, topic: string, partition = 0, from?: number): Promise<readonly LogRecord[]> => {
    const records: LogRecord[] = [];
    for await (const record of transport.read(topic, partition, from)) records.push(record);
    return records;
  };

  async clear(): Promise<void> {
    for (const collector of this.collectors.splice(0)) collector.unsubscribe();
    for (const subject of this.subjects.splice(0)) await subject.dispose();
  }
}
