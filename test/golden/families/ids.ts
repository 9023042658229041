import { expect } from 'vitest';
import { type Family } from '../family.js';

export const family: Family = {
  name: 'ids',
  check() {
    expect.unreachable('not yet checked');
  },
};
