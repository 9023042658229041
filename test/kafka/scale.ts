/** The whole table of faults runs when this is set; otherwise a smaller number of each. */
export const WHOLE = process.env['PENSTOCK_KAFKA_CHAOS'] === 'whole';

export function times(small: number, whole: number): number {
  return WHOLE ? whole : small;
}

/** The seed of a run: as told, else one for the whole run, which `one-seed.ts` draws and prints. */
export function seedOfRun(): number {
  const told = process.env['PENSTOCK_SEED'];
  return told === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(told);
}

/** One line for each fault: what was done, how often, and what was found. */
export function tell(fault: string, numbers: string, found: object): void {
  console.log(`chaos | ${fault} | ${numbers} | seed ${seedOfRun()} | ${JSON.stringify(found)}`);
}

/** Numbers from 0 to 1 by a seed (mulberry32). */
export function drawing(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
