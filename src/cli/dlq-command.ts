import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { redactText } from '../observe/redact.js';
import { type ClaimChecks, claimChecks } from '../runtime/claim-check.js';
import { type DeadLetterFilter, originalBytes } from '../runtime/dead-letter.js';
import { checkBlobPath, openLocalBlobs } from '../storage/blob/index.js';
import type { Transport } from '../transport/transport.js';
import { type DataDirectory, existingDataDirectory } from './data-directory.js';
import { type Address, addressText, deadLetters, type Letter, parseAddress, replay, type Unreadable } from './dead-letters.js';
import { type CliDomain, cliDomain } from './domain.js';
import { EXIT, UsageError } from './exit-codes.js';
import { openLog } from './open-log.js';
import { loadSettings } from './settings.js';
import type { Shell } from './shell.js';

export interface FilterFlags {
  readonly domain: string;
  readonly traceId?: string;
  readonly mediaId?: string;
  readonly reason?: string;
  readonly category?: string;
  readonly worker?: string;
  readonly topic?: string;
  readonly since?: Date;
  readonly until?: Date;
  readonly limit?: number;
}

export interface ReplayFlags extends FilterFlags {
  readonly all?: boolean;
  readonly yes?: boolean;
  readonly again?: boolean;
}

const OUTPUT_ROOM = 4 * 1024 * 1024;
const REPLAY_BATCH = 200;

function filterOf(flags: FilterFlags): DeadLetterFilter {
  const { traceId, mediaId, reason, category, worker, topic: originTopic, since, until } = flags;
  return { traceId, mediaId, reason, category, worker, originTopic, since, until };
}

const isFiltering = (flags: FilterFlags): boolean => Object.values(filterOf(flags)).some((value) => value !== undefined);

function addressesOf(positions: readonly string[]): readonly Address[] | undefined {
  if (positions.length === 0) return undefined;
  return positions.map((text) => {
    const address = parseAddress(text);
    if (address === undefined)
      throw new UsageError(`"${text}" is no position`, 'positions look like 0:42 (partition:offset), as `penstock dlq ls` prints them');
    return address;
  });
}

interface Listing {
  readonly data: DataDirectory;
  readonly transport: Transport;
  readonly domain: CliDomain;
  readonly claims: ClaimChecks;
  readonly letters: AsyncIterable<Letter>;
}

async function listing(
  shell: Shell,
  flags: FilterFlags,
  positions: readonly string[],
  work: (listing: Listing) => Promise<number>,
): Promise<number> {
  const domain = cliDomain(flags.domain);
  const addresses = addressesOf(positions);
  const data = existingDataDirectory(shell.data);
  const transport = await openLog(await loadSettings(shell), data);
  try {
    const claims = claimChecks({ blobs: await openLocalBlobs({ directory: data.claims }) });
    const onUnreadable = ({ partition, offset, error }: Unreadable): void =>
      shell.notice(
        `${addressText({ partition, offset })}  holds no dead letter: ${error instanceof Error ? error.message : String(error)}`,
      );
    const all = deadLetters(transport, domain, filterOf(flags), {
      claims,
      onUnreadable,
      ...(addresses === undefined ? {} : { addresses }),
    });
    return await work({ data, transport, domain, claims, letters: limited(all, flags.limit) });
  } finally {
    await transport.close();
  }
}

async function* limited(letters: AsyncIterable<Letter>, limit = Number.POSITIVE_INFINITY): AsyncGenerator<Letter> {
  let left = limit;
  if (left <= 0) return;
  for await (const letter of letters) {
    yield letter;
    left -= 1;
    if (left <= 0) return;
  }
}

/** Where the message of a letter came from. */
function origin({ letter }: Letter): string {
  if (letter.source_file !== null) return `${letter.source_file}:${letter.source_line}`;
  const { original_topic: topic, original_partition: partition, original_offset: offset } = letter;
  if (topic === null) return '?';
  return partition === null ? topic : `${topic}@${partition}:${offset}`; // an action that was never on its topic has no place there
}

function summary(found: Letter): Record<string, unknown> {
  const { topic, partition, offset, letter, replayedAt } = found;
  const { original_value: _value, original_task: _task, original_headers: _headers, original_key: _key, ...facts } = letter;
  return { position: addressText(found), topic, partition, offset, ...facts, replayed_at: replayedAt ?? null };
}

export function dlqLs(shell: Shell, flags: FilterFlags): Promise<number> {
  return listing(shell, flags, [], async ({ letters }) => {
    let count = 0;
    for await (const found of letters) {
      count += 1;
      if (shell.json) shell.print(JSON.stringify(summary(found)));
      else shell.print(row(found));
      await shell.out.room(OUTPUT_ROOM);
    }
    const cut = count > 0 && count === flags.limit ? ', and there may be more: no more are listed than --limit says' : '';
    if (!shell.json) shell.notice(`${count} dead letter${count === 1 ? '' : 's'}${cut}`);
    return EXIT.fine;
  });
}

function row(found: Letter): string {
  const { letter, replayedAt } = found;
  return redactText(
    [
      addressText(found).padEnd(8),
      letter.failed_at,
      letter.worker.padEnd(22),
      letter.reason.padEnd(20),
      origin(found),
      letter.trace_id ?? '',
      letter.final_error,
      replayedAt === undefined ? '' : `(replayed ${replayedAt})`,
    ]
      .filter((part) => part !== '')
      .join('  '),
  );
}

export interface ShowFlags {
  readonly domain: string;
  readonly bytes?: boolean;
}

export function dlqShow(shell: Shell, positions: readonly string[], flags: ShowFlags): Promise<number> {
  return listing(shell, flags, positions, async ({ data, letters }) => {
    let count = 0;
    for await (const found of letters) {
      count += 1;
      const bytes = originalBytes(found.letter);
      const { original_file: file } = found.letter;
      if (flags.bytes === true && file !== undefined) await writeFileOf(shell, data, file);
      else if (flags.bytes === true) shell.out.write(bytes ?? Buffer.alloc(0));
      else {
        const text = bytes !== undefined && isUtf8(bytes) ? bytes.toString('utf8') : null;
        const whole = { ...summary(found), ...found.letter, original_text: text };
        shell.print(shell.json ? JSON.stringify(whole) : redactText(JSON.stringify(whole, null, 2)));
      }
      await shell.out.room(OUTPUT_ROOM);
    }
    if (count === positions.length) return EXIT.fine;
    shell.notice(`${positions.length - count} of ${positions.length} positions hold no dead letter`);
    return EXIT.findings;
  });
}

/** The bytes of a letter that lie in a file, as they come from the disk. */
async function writeFileOf({ out }: Shell, { claims }: DataDirectory, file: string): Promise<void> {
  checkBlobPath(file);
  for await (const chunk of createReadStream(join(claims, file))) {
    out.write(chunk as Buffer);
    await out.room(OUTPUT_ROOM);
  }
}

/** Sends letters again. Without `yes` nothing is sent: it says what would be. What was sent before is left alone unless `again`. */
export function dlqReplay(shell: Shell, positions: readonly string[], flags: ReplayFlags): Promise<number> {
  if (positions.length === 0 && !isFiltering(flags) && flags.all !== true) {
    throw new UsageError('which dead letters are to be sent again?', 'name positions, give a filter such as --reason, or say --all');
  }
  return listing(shell, flags, positions, async ({ transport, domain, letters, claims }) => {
    const counts = { replayed: 0, would_replay: 0, already_replayed: 0, cannot_replay: 0 };
    const tell = (found: Letter, result: keyof typeof counts): void => {
      counts[result] += 1;
      const to = found.letter.original_topic;
      const replayed_at = found.replayedAt ?? null;
      if (shell.json)
        shell.print(JSON.stringify({ position: addressText(found), result, to, trace_id: found.letter.trace_id, replayed_at }));
      else shell.print(`${addressText(found).padEnd(8)}  ${result.replace('_', ' ').padEnd(16)}  ${to ?? '?'}  ${origin(found)}`);
    };
    const inFiles: Letter[] = [];
    let batch: Letter[] = [];
    const send = async (): Promise<void> => {
      if (batch.length === 0) return;
      const sending = batch;
      batch = [];
      await replay(transport, domain, sending, { claims, now: new Date() });
      for (const found of sending) tell(found, 'replayed');
    };
    for await (const found of letters) {
      if (found.replayedAt !== undefined && flags.again !== true) tell(found, 'already_replayed');
      else if (found.letter.original_file !== undefined) {
        inFiles.push(found);
        tell(found, 'cannot_replay');
      } else if (found.letter.original_topic === null) tell(found, 'cannot_replay');
      else if (flags.yes !== true) tell(found, 'would_replay');
      else batch.push(found);
      if (batch.length >= REPLAY_BATCH) await send();
      await shell.out.room(OUTPUT_ROOM);
    }
    await send();
    for (const found of inFiles) {
      shell.notice(
        `${addressText(found)}  is too large to be sent whole (${found.letter.original_bytes} bytes): take it out with \`penstock dlq show ${addressText(found)} --bytes\`, mend it, and ingest it`,
      );
    }
    if (flags.yes === true) shell.notice(`${counts.replayed} sent again, ${counts.already_replayed} had been sent before`);
    else shell.notice(`dry run: ${counts.would_replay} would be sent again, ${counts.already_replayed} were sent before; --yes sends them`);
    const missing = positions.length - Object.values(counts).reduce((sum, count) => sum + count, 0);
    return counts.cannot_replay > 0 || missing > 0 ? EXIT.findings : EXIT.fine;
  });
}
