import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { mediaId } from '../../../src/domains/xact/ids.js';
import type { DeadLetter } from '../../../src/runtime/dead-letter.js';
import type { LogRecord } from '../../../src/transport/transport.js';
import { type Cells, deadLettersIn, type StoredFile, filesOf, logOf, tablesOf } from './data.js';

/** What a data directory holds in the end, without times of processing. */
export interface Holdings {
  readonly tables: Readonly<Record<string, readonly Cells[]>>;
  readonly files: ReadonlyMap<string, StoredFile>;
  readonly deadLetters: readonly DeadLetter[];
  readonly log: ReadonlyMap<string, readonly LogRecord[]>;
}

export async function holdingsOf(data: string): Promise<Holdings> {
  const log = await logOf(data);
  return { tables: await tablesOf(data), files: await filesOf(data), deadLetters: deadLettersIn(log), log };
}

/** What plugins published, by topic: the ids, each once, in order. */
export function publishedBy({ log }: Holdings): Readonly<Record<string, readonly string[]>> {
  const own = /^xact\.(?:events|downloads|dlq|actions)/;
  const found = [...log].filter(([topic]) => !own.test(topic));
  return Object.fromEntries(found.map(([topic, records]) => [topic, [...new Set(records.map(idOf))].toSorted()]));
}

/** The ids of the actions that went to the outbox, each once. */
export function outboxOf({ log }: Holdings): readonly string[] {
  return [...new Set((log.get('xact.actions.outbox') ?? []).map(idOf))].toSorted();
}

function idOf({ headers }: LogRecord): string {
  return headers.find(([name]) => name === 'idempotency-key')?.[1].toString() ?? 'no idempotency key';
}

/** The dead letters as what they are about, each once however often it was written; a retried task says when it was retried, so its bytes are left out. */
export function deadLetterSet({ deadLetters }: Holdings): readonly string[] {
  const told = deadLetters.map((letter) =>
    [letter.worker, letter.reason, letter.retry_count, letter['media_id'] ?? letter.original_sha256 ?? letter.original_value].join(' '),
  );
  return [...new Set(told)].toSorted();
}

/** All that must come out the same, however often the work was interrupted and whoever did it. */
export function lastingOf(holdings: Holdings) {
  return {
    tables: holdings.tables,
    files: [...holdings.files],
    deadLetters: deadLetterSet(holdings),
    published: publishedBy(holdings),
    outbox: outboxOf(holdings),
  };
}

interface Facts {
  readonly traceId: string;
  /** No attachments are expected of it: without assignment, or of a type that the plugins' rules leave out. */
  readonly dismissed: boolean;
  readonly attachments: readonly string[];
}

export interface ReconcileOptions {
  /** The lines that went in. */
  readonly lines: readonly Buffer[];
  /** Types whose events make no downloads. */
  readonly filteredType?: RegExp;
}

/**
 * Accounts for every line: what was lost, doubled or left without a reason, a sentence each; nothing when everything adds up. It reads the lines and the
 * results by itself and asks the program for nothing but the ids of attachments.
 */
export function reconcile(holdings: Holdings, { lines, filteredType = /test/ }: ReconcileOptions): readonly string[] {
  const findings: string[] = [];
  const { tables, files, deadLetters } = holdings;
  const count = (name: string, key: string): ReadonlyMap<unknown, number> => counted((tables[name] ?? []).map((row) => row[key]));
  const eventRows = count('xact_events', 'trace_id');
  const stored = count('xact_attachments', 'media_id');
  const failed = count('xact_attachments_failed', 'media_id');
  for (const [name, counts] of Object.entries({ xact_events: eventRows, xact_attachments: stored, xact_attachments_failed: failed })) {
    for (const [key, times] of counts) if (times > 1) findings.push(`${name} has ${times} rows of ${String(key)}`);
  }
  const letters = new Set(
    deadLetters.map(({ worker, original_value, original_sha256 }) => `${worker} ${original_sha256 ?? original_value}`),
  );
  const mediaLetters = new Set(deadLetters.map((letter) => letter['media_id']).filter((id) => id !== undefined));
  const known = { traces: new Set<unknown>(), media: new Set<unknown>() };

  for (const [index, line] of lines.entries()) {
    const place = `line ${index + 1}`;
    const bytes = line.toString('base64');
    const record = objectIn(line);
    if (record === undefined) {
      if (!letters.has(`ingest ${bytes}`) && !letters.has(`ingest ${createHash('sha256').update(line).digest('hex')}`))
        findings.push(`${place} is no record and no dead letter`);
      continue;
    }
    const facts = factsOf(record, filteredType);
    if (facts === undefined) {
      for (const worker of ['xact-event-ingester', 'xact-delta-events'])
        if (!letters.has(`${worker} ${bytes}`)) findings.push(`${place} is no event, and ${worker} dead-lettered nothing`);
      continue;
    }
    const { traceId } = facts;
    known.traces.add(traceId);
    const hasRow = eventRows.has(traceId);
    const refusedByTable = letters.has(`xact-delta-events ${bytes}`);
    if (!hasRow && !refusedByTable) findings.push(`${place}: event ${traceId} has neither row nor dead letter`);
    if (hasRow && refusedByTable) findings.push(`${place}: event ${traceId} has a row and a dead letter`);
    const given =
      letters.has(`xact-event-ingester ${bytes}`) &&
      !deadLetters.some((letter) => letter.reason === 'url_refused' && letter.original_value === bytes);
    for (const url of new Set(facts.attachments)) {
      const id = mediaId(traceId.trim(), url); // tasks go by the trimmed id
      known.media.add(id);
      const places = [stored.has(id) && 'stored', failed.has(id) && 'failed'].filter((name) => name !== false);
      const expected = facts.dismissed || given ? 0 : 1;
      if (places.length !== expected)
        findings.push(`${place}: attachment ${id} is ${places.join(' and ') || 'nowhere'}, expected ${expected}`);
      if (failed.has(id) && !mediaLetters.has(id)) findings.push(`${place}: attachment ${id} failed and has no dead letter`);
    }
  }
  for (const traceId of eventRows.keys()) if (!known.traces.has(traceId)) findings.push(`a row of ${String(traceId)}, which never came`);
  for (const id of [...stored.keys(), ...failed.keys()])
    if (!known.media.has(id)) findings.push(`a row of attachment ${String(id)}, which never came`);

  const paths = new Set<unknown>();
  for (const { blob_path: path, bytes_downloaded: bytes } of tables['xact_attachments'] ?? []) {
    if (paths.has(path)) findings.push(`two rows name the file ${String(path)}`);
    paths.add(path);
    const file = files.get(String(path));
    if (file === undefined) findings.push(`the file ${String(path)} has a row and is not there`);
    else if (file.bytes !== Number(bytes)) findings.push(`the file ${String(path)} has ${file.bytes} bytes, its row says ${String(bytes)}`);
  }
  for (const path of files.keys()) if (!paths.has(path)) findings.push(`the file ${path} has no row`);
  return findings;
}

function counted(values: readonly unknown[]): ReadonlyMap<unknown, number> {
  const counts = new Map<unknown, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

function objectIn(line: Buffer): Readonly<Record<string, unknown>> | undefined {
  return isUtf8(line) ? parsed(line.toString('utf8')) : undefined;
}

/** The object that a text of JSON holds; nothing for anything else. */
function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return isObject(value) ? value : undefined;
  } catch {
    return undefined; // that it is no JSON is the answer
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What an event should lead to; nothing when the line is no event. */
function factsOf(record: Readonly<Record<string, unknown>>, filteredType: RegExp): Facts | undefined {
  const { type, traceId, data = {}, utcDateTime = null } = record;
  const text = (value: unknown): value is string => typeof value === 'string' && value.trim() !== '';
  if (!text(type) || !text(traceId) || !(typeof data === 'string' || isObject(data))) return undefined;
  if (utcDateTime !== null && typeof utcDateTime !== 'string') return undefined;
  const content = isObject(data) ? data : (parsed(data) ?? {});
  const { assignmentId, attachments } = content;
  const blank = assignmentId === undefined || assignmentId === null || (typeof assignmentId === 'string' && assignmentId.trim() === '');
  return {
    traceId,
    dismissed: blank || filteredType.test(type),
    attachments: Array.isArray(attachments) ? attachments.filter((url): url is string => typeof url === 'string' && url !== '') : [],
  };
}
