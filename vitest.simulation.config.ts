import { defineConfig } from 'vitest/config';
import { doors } from './vitest.config.js';

/** Ten thousand simulated runs. */
export default defineConfig({
  resolve: { alias: doors },
  test: { include: ['test/simulation/**/*.test.ts'], testTimeout: 600_000 },
});
