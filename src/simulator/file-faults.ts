import { createRandom } from './random.js';

/** What may go wrong with a file, each as a share of all files. */
export interface FileFaults {
  /** 404, for good. */
  readonly missing: number;
  /** 403, for good. */
  readonly forbidden: number;
  /** 503 for an attempt or two, then the file; for some files for ever. */
  readonly unavailable: number;
  /** The connection ends in the middle of the body, for an attempt or two. */
  readonly cut: number;
  /** The body comes in drops, but it comes. */
  readonly slow: number;
  /** A length is announced that nobody would take. */
  readonly oversize: number;
  /** A redirect to another path of the same host; no error. */
  readonly redirect: number;
  /** A redirect to an address that must not be reached. */
  readonly redirect_refused: number;
  /** A login page under the name of a document. */
  readonly impostor: number;
}

export type FileFault = keyof FileFaults;

export const DEFAULT_FILE_FAULTS: FileFaults = {
  missing: 0.015,
  forbidden: 0.01,
  unavailable: 0.05,
  cut: 0.03,
  slow: 0.02,
  oversize: 0.005,
  redirect: 0.04,
  redirect_refused: 0.01,
  impostor: 0.005,
};

export const NO_FILE_FAULTS: FileFaults = {
  missing: 0,
  forbidden: 0,
  unavailable: 0,
  cut: 0,
  slow: 0,
  oversize: 0,
  redirect: 0,
  redirect_refused: 0,
  impostor: 0,
};

export interface Misfortune {
  readonly fault: FileFault | undefined;
  /** Sends the type that storage services send when they do not know better. */
  readonly plainType: boolean;
}

/** What happens at this attempt at this file: drawn from seed, file and attempt alone, so that it is the same whenever and however often it is asked. */
export function misfortune(seed: number | string, token: string, attempt: number, faults: FileFaults): Misfortune {
  const random = createRandom(`file ${seed} ${token}`);
  const plainType = random.chance(0.2);
  let left = random.next();
  const drawn = (Object.entries(faults) as [FileFault, number][]).find(([, share]) => {
    left -= share;
    return left < 0;
  })?.[0];
  // An attempt or two, or more than anybody makes.
  const lasts = Number(random.weighted({ 1: 45, 2: 30, 1000: 25 }));
  const over = (drawn === 'unavailable' && attempt >= lasts) || (drawn === 'cut' && attempt >= Math.min(lasts, 2));
  return { fault: over ? undefined : drawn, plainType };
}
