import { defineConfig } from 'vitest/config';
import { WHOLE } from './test/kafka/scale.js';
import { doors } from './vitest.config.js';

/** Suites on a real Apache Kafka: each file has a broker of its own, so one after another. They fail when there is none. */
export default defineConfig({
  resolve: { alias: doors },
  test: {
    include: ['test/broker/**/*.test.ts', 'test/kafka/**/*.test.ts'],
    globalSetup: ['test/kafka/one-seed.ts'],
    testTimeout: WHOLE ? 1_800_000 : 300_000,
    hookTimeout: 300_000,
    fileParallelism: false,
  },
});
