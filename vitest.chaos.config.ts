import { defineConfig } from 'vitest/config';
import { doors } from './vitest.config.js';

/** Suites that kill processes: longer, one after another. */
export default defineConfig({
  resolve: { alias: doors },
  test: { include: ['test/chaos/**/*.test.ts'], testTimeout: 1_200_000, hookTimeout: 120_000, fileParallelism: false },
});
