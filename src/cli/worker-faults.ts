import { CODES, PenstockError } from '../diagnostics/index.js';
import type { Logger } from '../observe/index.js';

/** What a consumer calls its faults, by the code under which they are explained. */
const CONSUMER_FAULTS: Readonly<Record<string, 'PS3001' | 'PS3002'>> = { disk_full: 'PS3002', log_unreachable: 'PS3001' };

/** How often faults are looked at, in milliseconds. */
const LOOK_MS = 250;

export interface FaultSources {
  /** What the consumers say, each of them. */
  readonly consumers: () => readonly (string | undefined)[];
  /** Why the last write of a table failed. */
  readonly writer: () => unknown;
}

/** Why a worker takes nothing in at the moment, with its code; nothing when it does. */
export function faultOf({ consumers, writer }: FaultSources): string | undefined {
  const fault = consumers().find((name) => name !== undefined);
  if (fault !== undefined) {
    const code = CONSUMER_FAULTS[fault];
    return code === undefined ? fault : `${code} ${CODES[code]}: intake waits until the log can be written again`;
  }
  const error = writer();
  if (error === undefined) return undefined;
  return error instanceof PenstockError
    ? `${error.code} ${CODES[error.code]}: rows wait, ${error.message}`
    : `PS4108 ${CODES.PS4108}: ${String(error)}`;
}

/** Says in the log when a fault begins and when it is over, each once; ends when called. */
export function watchFaults(sources: FaultSources, log: Logger): () => void {
  let before: string | undefined;
  const look = (): void => {
    const now = faultOf(sources);
    if (now === before) return;
    if (now !== undefined) log.error('intake waits', { code: now.slice(0, 6), reason: now });
    else log.warn('intake goes on', { after: before });
    before = now;
  };
  const timer = setInterval(look, LOOK_MS).unref();
  return () => clearInterval(timer);
}
