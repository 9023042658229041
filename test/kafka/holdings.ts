import { join } from 'node:path';
import { claimChecks, valueOf } from '../../src/runtime/claim-check.js';
import { openLocalBlobs } from '../../src/storage/blob/index.js';
import { openKafka } from '../../src/transport/kafka/index.js';
import type { LogRecord } from '../../src/transport/transport.js';
import type { Broker } from '../broker/broker.js';
import { deadLettersIn, filesOf, tablesOf } from '../e2e/support/data.js';
import type { Holdings } from '../e2e/support/reconcile.js';

/** What the log on a broker and a data directory hold together. Marks are topics of their own there, and left out. */
export async function holdingsOnKafka({ brokers }: Pick<Broker, 'brokers'>, data: string): Promise<Holdings> {
  const transport = await openKafka({ brokers });
  const claims = claimChecks({ blobs: await openLocalBlobs({ directory: join(data, 'claims') }) });
  try {
    const log = new Map<string, readonly LogRecord[]>();
    for (const { name, offsets } of await transport.topics()) {
      if (name.startsWith('penstock.marks.')) continue;
      const records: LogRecord[] = [];
      for (const { partition } of offsets)
        for await (const record of transport.read(name, partition))
          records.push(name === 'xact.dlq' ? { ...record, value: await valueOf(record, claims) } : record);
      log.set(name, records);
    }
    return { tables: await tablesOf(data), files: await filesOf(data), deadLetters: deadLettersIn(log), log };
  } finally {
    await transport.close();
  }
}
