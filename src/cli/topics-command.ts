import { isUtf8 } from 'node:buffer';
import { didYouMean } from '../diagnostics/index.js';
import type { LogRecord, Transport } from '../transport/transport.js';
import { existingDataDirectory } from './data-directory.js';
import { EXIT, UsageError } from './exit-codes.js';
import { openLog } from './open-log.js';
import { loadSettings } from './settings.js';
import type { Shell } from './shell.js';

const OUTPUT_ROOM = 4 * 1024 * 1024;

async function withLog<T>(shell: Shell, work: (transport: Transport) => Promise<T>): Promise<T> {
  const transport = await openLog(await loadSettings(shell), existingDataDirectory(shell.data));
  try {
    return await work(transport);
  } finally {
    await transport.close();
  }
}

/** Lists the topics of the log with what they hold. */
export function topicsLs(shell: Shell): Promise<number> {
  return withLog(shell, async (transport) => {
    const topics = [...(await transport.topics())].sort((a, b) => (a.name < b.name ? -1 : 1));
    const width = Math.max(5, ...topics.map(({ name }) => name.length));
    if (!shell.json) shell.print(`${'topic'.padEnd(width)}  ${'partitions'.padStart(10)}  ${'records'.padStart(10)}`);
    for (const { name, partitions, retentionMs, offsets } of topics) {
      const records = offsets.reduce((sum, { start, end }) => sum + (end - start), 0);
      if (shell.json) shell.print(JSON.stringify({ topic: name, partitions, records, retention_ms: retentionMs ?? null, offsets }));
      else shell.print(`${name.padEnd(width)}  ${String(partitions).padStart(10)}  ${String(records).padStart(10)}`);
    }
    return EXIT.fine;
  });
}

export interface CatFlags {
  readonly partition?: number;
  readonly from?: number;
  readonly limit?: number;
  readonly values?: boolean;
}

/** Writes a topic's records as JSON lines, partition by partition; `values` writes their bytes alone, a line each. */
export function topicsCat(
  shell: Shell,
  topic: string,
  { partition, from, limit = Number.POSITIVE_INFINITY, values }: CatFlags,
): Promise<number> {
  return withLog(shell, async (transport) => {
    const names = (await transport.topics()).map(({ name }) => name);
    if (!names.includes(topic)) {
      const near = didYouMean(topic, names);
      throw new UsageError(
        `there is no topic "${topic}"`,
        near === undefined ? 'penstock topics ls lists them' : `did you mean "${near}"?`,
      );
    }
    const partitions = (await transport.offsets(topic)).filter((found) => partition === undefined || found.partition === partition);
    if (partitions.length === 0) throw new UsageError(`${topic} has no partition ${partition}`);
    let left = limit;
    for (const found of partitions) {
      if (left <= 0) break;
      for await (const record of transport.read(topic, found.partition, from ?? found.start)) {
        if (left <= 0) break;
        left -= 1;
        if (values === true) {
          shell.out.write(record.value ?? Buffer.alloc(0));
          shell.out.write('\n');
        } else shell.print(recordLine(record));
        await shell.out.room(OUTPUT_ROOM);
      }
    }
    return EXIT.fine;
  });
}

/**
 * A record as one line of JSON. A value that is JSON stands there as it is, letter for letter; other text is `text`, other bytes `base64`.
 */
export function recordLine({ topic, partition, offset, timestamp, key, headers, value }: LogRecord): string {
  const facts = {
    topic,
    partition,
    offset,
    timestamp: new Date(timestamp).toISOString(),
    key: key === null ? null : textOrBase64(key),
    headers: Object.fromEntries(headers.map(([name, bytes]) => [name, textOrBase64(bytes)])),
  };
  return `${JSON.stringify(facts).slice(0, -1)},${written(value)}}`;
}

function written(value: Buffer | null): string {
  if (value === null) return '"value":null';
  if (!isUtf8(value)) return `"base64":${JSON.stringify(value.toString('base64'))}`;
  const text = value.toString('utf8');
  // Line ends between the tokens of a value would break the line; inside texts JSON has none.
  return isJson(text) ? `"value":${text.replace(/[\r\n]+/g, ' ')}` : `"text":${JSON.stringify(text)}`;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // that it is no JSON is the answer
  }
}

function textOrBase64(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString('utf8') : `base64:${bytes.toString('base64')}`;
}
