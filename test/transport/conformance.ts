import { afterEach, describe } from 'vitest';
import { Bench, type Lacking, type Subject } from './conformance/bench.js';
import { faultTests } from './conformance/faults.js';
import { flowTests } from './conformance/flow.js';
import { recordTests } from './conformance/records.js';
import { settlingTests } from './conformance/settling.js';

/** What every transport promises. `lacking` names what its subject cannot show; those tests are reported as skipped. */
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
