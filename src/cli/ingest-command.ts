import { open } from 'node:fs/promises';
import { createProgress } from '../observe/progress.js';
import { claimChecks } from '../runtime/claim-check.js';
import { openLocalBlobs } from '../storage/blob/index.js';
import { byteInput } from './byte-input.js';
import { openDataDirectory } from './data-directory.js';
import { cliDomain } from './domain.js';
import { EXIT, UsageError } from './exit-codes.js';
import { ingest, type IngestCounts } from './ingest.js';
import { openLog, prepareTopics, topicSpec } from './open-log.js';
import { refusalOf } from './refusal.js';
import { largeLines } from './large-lines.js';
import { loadSettings } from './settings.js';
import type { Shell } from './shell.js';
import { interruptible } from './signals.js';

export interface IngestFlags {
  readonly domain: string;
  readonly maxRecord: number;
}

const STDIN = 0;

export async function ingestCommand(shell: Shell, file: string, flags: IngestFlags): Promise<number> {
  const domain = cliDomain(flags.domain);
  const config = await loadSettings(shell);
  const input = file === '-' ? undefined : await opened(file);
  try {
    const data = openDataDirectory(shell.data);
    const transport = await openLog(config, data);
    try {
      await prepareTopics(transport, config, [
        topicSpec(config, domain.name, domain.raw, 'work'),
        topicSpec(config, domain.name, domain.deadLetters, 'deadLetter'),
      ]);
      const blobs = await openLocalBlobs({ directory: data.claims, workshop: data.tmp });
      const claims = claimChecks({ blobs });
      return await interruptible(async ({ signal, exitCode }) => {
        let counts: IngestCounts = { read: 0, ingested: 0, dead_lettered: 0 };
        const progress = createProgress({ stream: process.stderr, lines: () => [sentence(counts)] });
        if (!shell.quiet) progress.start();
        try {
          counts = await ingest({
            transport,
            domain,
            input: byteInput(input?.fd ?? STDIN),
            file: file === '-' ? 'standard input' : file,
            maxRecord: flags.maxRecord,
            claims,
            largeLines: largeLines({ blobs, workshop: data.tmp, folder: `${domain.deadLetters}/lines` }),
            signal,
            onProgress: (now) => (counts = now),
          });
        } finally {
          if (!shell.quiet) progress.stop();
        }
        if (shell.json) shell.print(JSON.stringify(counts));
        if (signal.aborted) shell.notice('interrupted: the lines counted are durable, the rest was not read');
        return exitCode(EXIT.fine);
      });
    } finally {
      await transport.close();
    }
  } finally {
    await input?.close();
  }
}

async function opened(file: string): ReturnType<typeof open> {
  let handle;
  try {
    handle = await open(file, 'r');
  } catch (cause) {
    throw new UsageError(`${file} cannot be read: ${refusalOf(cause)}`);
  }
  if (!(await handle.stat()).isDirectory()) return handle;
  await handle.close();
  throw new UsageError(`${file} cannot be read: it is a directory`, 'name a file of newline-delimited JSON, or - for standard input');
}

function sentence({ read, ingested, dead_lettered }: IngestCounts): string {
  return `ingest  read ${read}  ingested ${ingested}  dead-lettered ${dead_lettered}`;
}
