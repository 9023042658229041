import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { doors } from '../../vitest.config.js';

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  resolve: { alias: doors },
  test: { include: ['test/golden/golden.test.ts'], testTimeout: 20_000 },
});
