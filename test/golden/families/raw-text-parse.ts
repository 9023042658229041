import { expect } from 'vitest';
import { PenstockError } from '../../../src/diagnostics/index.js';
import { readClaimxEvent } from '../../../src/domains/claimx/event.js';
import { readEvent } from '../../../src/domains/xact/event.js';
import { fields, wanted, type Family } from '../family.js';

export const family: Family = {
  name: 'raw-text-parse',
  check(vector) {
    const { domain, text } = fields(vector.in);
    const bytes = Buffer.from(text as string);
    const read = () => (domain === 'xact' ? readEvent(bytes) : readClaimxEvent(bytes));
    if (fields(wanted(vector))['accepted'] === true) expect(read).not.toThrow();
    else expect(read).toThrow(PenstockError);
  },
};
