import { isUtf8 } from 'node:buffer';
import { formatDuration, type PipelineConfig } from '../config/index.js';
import { didYouMean } from '../diagnostics/index.js';
import { allTopics, consumedTopics, topicName, XACT } from '../domains/xact/topics.js';
import type { LogRecord, TopicSpec, Transport } from '../transport/transport.js';
import { existingDataDirectory, openDataDirectory } from './data-directory.js';
import { EXIT, UsageError } from './exit-codes.js';
import { openLog, topicSpec } from './open-log.js';
import { kindOfTopic, WORKER_NAMES } from './pipeline.js';
import { loadSettings } from './settings.js';
import type { Shell } from './shell.js';

const OUTPUT_ROOM = 4 * 1024 * 1024;

async function withLog<T>(shell: Shell, work: (transport: Transport, config: PipelineConfig) => Promise<T>): Promise<T> {
  const config = await loadSettings(shell);
  const data = config.brokers.length > 0 ? openDataDirectory(shell.data) : existingDataDirectory(shell.data);
  const transport = await openLog(config, data);
  try {
    return await work(transport, config);
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

/** One topic of the configuration, and what the log has of it. */
interface Planned {
  readonly name: string;
  readonly wanted: TopicSpec;
  readonly there: TopicSpec | undefined;
  /** Who reads it. */
  readonly readers: readonly string[];
  /** What `apply` does. */
  readonly step: 'create' | 'grow' | 'none';
  /** What `apply` leaves alone, and differs. */
  readonly notes: readonly string[];
}

/** Shows what the configured topics and those of the log have in common; `apply` makes what is missing and grows what is too small. */
export function topicsPlan(shell: Shell, { apply }: { readonly apply: boolean }): Promise<number> {
  return withLog(shell, async (transport, config) => {
    const plan = planOf(config, await transport.topics());
    const open = plan.filter(({ step }) => step !== 'none');
    const width = Math.max(5, ...plan.map(({ name }) => name.length));
    for (const planned of plan) {
      const { name, wanted, there, readers, step, notes } = planned;
      if (shell.json)
        shell.print(
          JSON.stringify({
            topic: name,
            step,
            partitions: wanted.partitions,
            retention_ms: wanted.retentionMs ?? null,
            now: there ?? null,
            readers,
            notes,
          }),
        );
      else if (step !== 'none' || !shell.quiet || notes.length > 0)
        shell.print(
          `${(step === 'none' ? 'ok' : step).padEnd(6)}  ${name.padEnd(width)}  ${partitionsText(planned)}  read by ${readers.join(', ') || 'nobody here'}${notes.map((note) => `; ${note}`).join('')}`,
        );
    }
    if (apply && open.length > 0) await transport.ensureTopics(open.map(({ wanted }) => wanted));
    const count = `${open.length} topic${open.length === 1 ? '' : 's'}`;
    shell.notice(
      open.length === 0 ? 'nothing to do' : apply ? `${count} made or grown` : `${count} to make or grow: penstock topics apply`,
    );
    return EXIT.fine;
  });
}

function partitionsText({ wanted, there, step }: Planned): string {
  const from = step === 'grow' ? `${there!.partitions} to ` : '';
  return `${from}${step === 'none' ? there!.partitions : wanted.partitions} partitions`;
}

function planOf(config: PipelineConfig, topics: readonly TopicSpec[]): readonly Planned[] {
  const { retryDelaysMs } = config.perDomain[XACT]!;
  const known = new Map(topics.map((topic) => [topic.name, topic]));
  return allTopics(retryDelaysMs).map((name) => {
    const wanted = topicSpec(config, XACT, name, kindOfTopic(name));
    const there = known.get(name);
    const readers = WORKER_NAMES.filter((worker) => consumedTopics(worker, retryDelaysMs).includes(name));
    const step = there === undefined ? 'create' : there.partitions < wanted.partitions ? 'grow' : 'none';
    const notes =
      there === undefined || there.retentionMs === wanted.retentionMs
        ? []
        : [`kept for ${age(there.retentionMs)}, the configuration says ${age(wanted.retentionMs)}`];
    return { name, wanted, there, readers: name === topicName('xact.dlq') ? ['penstock dlq'] : readers, step, notes };
  });
}

function age(ms: number | undefined): string {
  return ms === undefined ? 'ever' : formatDuration(ms);
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
