import { CODES, PenstockError } from '../diagnostics/index.js';
import type { Logger } from '../observe/index.js';
import type { ConsumerState } from '../transport/transport.js';

/** What a consumer calls its faults, by the code under which they are explained. */
const CONSUMER_FAULTS: Readonly<Record<string, 'PS3001' | 'PS3002' | 'PS3007' | 'PS3008' | 'PS3009'>> = {
  disk_full: 'PS3002',
  log_unreachable: 'PS3001',
  log_held: 'PS3009',
  access_refused: 'PS3007',
  topic_missing: 'PS3008',
};

/** How often faults are looked at, in milliseconds. */
const LOOK_MS = 250;

export interface FaultSources {
  /** What the consumers say, each of them. */
  readonly consumers: () => readonly Pick<ConsumerState, 'fault' | 'faultText'>[];
  /** Why the last write of a table failed. */
  readonly writer: () => unknown;
}

/** Why a worker takes nothing in at the moment, with its code; nothing when it does. */
export function faultOf({ consumers, writer }: FaultSources): string | undefined {
  const state = consumers().find(({ fault }) => fault !== undefined);
  if (state?.fault !== undefined) {
    const code = CONSUMER_FAULTS[state.fault];
    const more = code !== 'PS3002' && state.faultText !== undefined ? `, ${state.faultText}` : '';
    return code === undefined ? state.fault : `${code} ${CODES[code]}: intake waits until the log can be written again${more}`;
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
