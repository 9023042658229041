import type { Progress } from '../ledger.js';
import { decodeRanges } from '../ranges.js';

/** Tells our metadata from what other clients write there. */
const PREFIX = 'p1:';

/** The most bytes of `Progress.beyond` that fit into the 4096 characters that brokers allow by default. */
export const BEYOND_BYTES = 3000;

/** What a group's commit says beside the offset. */
export function progressText({ beyond }: Progress): string {
  return beyond.length === 0 ? '' : PREFIX + Buffer.from(beyond).toString('base64');
}

/** What the client commits, as if it were an offset, when it finds nothing at its position: it goes to the start of the log. */
const CLIENT_STARTS_OVER = -2;

/** The progress that a commit stands for; metadata that is not ours, or is damaged, says nothing. Undefined where the group never committed. */
export function progressIn(offset: number, metadata: string | null): Progress | undefined {
  if (offset === CLIENT_STARTS_OVER) return { offset: 0, beyond: new Uint8Array(0) };
  if (offset < 0) return undefined;
  const nothing = { offset, beyond: new Uint8Array(0) };
  if (metadata === null || !metadata.startsWith(PREFIX)) return nothing;
  const beyond = new Uint8Array(Buffer.from(metadata.slice(PREFIX.length), 'base64'));
  try {
    decodeRanges(beyond, offset);
  } catch (error) {
    if (error instanceof RangeError) return nothing;
    throw error;
  }
  return { offset, beyond };
}
