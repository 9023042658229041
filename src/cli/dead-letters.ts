import { type ClaimChecks, valueOf } from '../runtime/claim-check.js';
import { type DeadLetterFilter, type FoundDeadLetter, matchesFilter, readDeadLetter, replayRecord } from '../runtime/dead-letter.js';
import { PenstockError } from '../diagnostics/index.js';
import type { NewRecord, Position, Transport } from '../transport/transport.js';
import type { CliDomain } from './domain.js';

/** Where a dead letter lies in the dead-letter topic. */
export interface Address {
  readonly partition: number;
  readonly offset: number;
}

/** A dead letter, and when it was sent again last. */
export interface Letter extends FoundDeadLetter {
  readonly replayedAt: string | undefined;
}

export const addressText = ({ partition, offset }: Address): string => `${partition}:${offset}`;

/** `0:42`, or `xact.dlq@0:42`; none when it is neither. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:[\w.-]+@)?(\d+):(\d+)$/.exec(text);
  return match === null ? undefined : { partition: Number(match[1]), offset: Number(match[2]) };
}

/** The topic that remembers what was sent again. It has one record for each replay. */
export const replaysTopic = (domain: CliDomain): string => `${domain.deadLetters}.replays`;

/** Which letters were sent again, by address, and when. */
export async function replays(transport: Transport, domain: CliDomain): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const topic = replaysTopic(domain);
  if (!(await transport.topics()).some(({ name }) => name === topic)) return found;
  for (const { partition } of await transport.offsets(topic)) {
    for await (const { key, timestamp } of transport.read(topic, partition)) {
      if (key !== null) found.set(key.toString('utf8'), new Date(timestamp).toISOString());
    }
  }
  return found;
}

export interface Unreadable extends Address {
  readonly error: unknown;
}

export interface DeadLettersOptions {
  readonly addresses?: readonly Address[];
  /** Where the values of large letters lie. */
  readonly claims: ClaimChecks;
  readonly onUnreadable: (record: Unreadable) => void;
}

/**
 * The dead letters of a domain that a filter means, in order of position; with addresses, only those. Records that hold no envelope are told to
 * `onUnreadable` and left out.
 */
export async function* deadLetters(
  transport: Transport,
  domain: CliDomain,
  filter: DeadLetterFilter,
  { addresses, claims, onUnreadable }: DeadLettersOptions,
): AsyncGenerator<Letter> {
  const topic = domain.deadLetters;
  if (!(await transport.topics()).some(({ name }) => name === topic)) return;
  const sent = await replays(transport, domain);
  const wanted = addresses === undefined ? undefined : new Set(addresses.map(addressText));
  for (const { partition, start } of await transport.offsets(topic)) {
    const offsets = addresses?.filter((address) => address.partition === partition).map(({ offset }) => offset);
    if (offsets?.length === 0) continue;
    const from = Math.max(start, Math.min(...(offsets ?? [start])));
    const until = offsets === undefined ? Number.POSITIVE_INFINITY : Math.max(...offsets);
    for await (const record of transport.read(topic, partition, from)) {
      if (record.offset > until) break;
      if (wanted !== undefined && !wanted.has(addressText(record))) continue;
      try {
        const letter = readDeadLetter({ ...record, value: await valueOf(record, claims) });
        if (matchesFilter(letter.letter, filter)) yield { ...letter, replayedAt: sent.get(addressText(record)) };
      } catch (error) {
        if (!(error instanceof PenstockError)) throw error;
        onUnreadable({ partition, offset: record.offset, error });
      }
    }
  }
}

export interface ReplayOptions {
  /** Where values lie that are too large to travel. */
  readonly claims: ClaimChecks;
  readonly now: Date;
}

/** A note is kept for as long as the letter that it is of. */
const FOR_EVER_MS = 100 * 365 * 24 * 3_600_000;

/**
 * Sends letters again and remembers it, in one write: either both are durable or neither. On a log without such writes the letters are durable first: one
 * whose note is missing is sent once more, one that has a note was sent.
 */
export async function replay(
  transport: Transport,
  domain: CliDomain,
  letters: readonly Letter[],
  { claims, now }: ReplayOptions,
): Promise<readonly Position[]> {
  const { retentionMs = FOR_EVER_MS } = (await transport.topics()).find(({ name }) => name === domain.deadLetters) ?? {};
  await transport.ensureTopics([{ name: replaysTopic(domain), partitions: 1, retentionMs }]);
  // A value that lies elsewhere is removed by the one group that reads it: what goes to every group of its topic travels whole.
  const sent = await Promise.all(
    letters.map(async (letter) => {
      const record = replayRecord(letter);
      return letter.letter.consumer_group === null ? record : claims.check(record, undefined);
    }),
  );
  const notes = letters.map((letter, at): NewRecord => {
    const note = { partition: letter.partition, offset: letter.offset, to: sent[at]!.topic, at: now.toISOString() };
    return { topic: replaysTopic(domain), partition: 0, key: addressText(letter), value: JSON.stringify(note), timestamp: now.getTime() };
  });
  if (transport.capabilities.atomicCommit) return (await transport.produce([...sent, ...notes])).slice(0, sent.length);
  const positions = await transport.produce(sent);
  await transport.produce(notes);
  return positions;
}
