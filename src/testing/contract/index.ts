import { afterEach, describe } from 'vitest';
import { Bench, type Lacking, type Subject } from './bench.js';
import { faultTests } from './faults.js';
import { flowTests } from './flow.js';
import { recordTests } from './records.js';
import { settlingTests } from './settling.js';

export type { Lacking, Subject } from './bench.js';

/**
 * What every transport promises, as tests of vitest in the file that calls this: `contractTests('mine', async () => ({ transport, dispose }))`. Each
 * test makes a subject of its own and throws it away. `lacking` names what its subject cannot show; those tests are reported as skipped.
 * Needs `vitest` and `fast-check`.
 */
export function contractTests(name: string, make: () => Promise<Subject>, lacking: readonly Lacking[] = []): void {
  describe(`${name}: the transport contract`, () => {
    const bench = new Bench(make, lacking);
    afterEach(() => bench.clear());
    recordTests(bench);
    flowTests(bench);
    settlingTests(bench);
    faultTests(bench);
  });
}
