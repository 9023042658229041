import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import marbleSpecs from './src/testing/vitest.js';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The package's own doors lead to the sources, so that tests need no build. */
export const doors = [
  { find: /^penstock$/, replacement: at('./src/index.ts') },
  { find: /^penstock\/operators$/, replacement: at('./operators/index.ts') },
  { find: /^penstock\/plugin$/, replacement: at('./src/plugin/index.ts') },
  { find: /^penstock\/plugins\/(.*)$/, replacement: `${at('./plugins')}/$1.ts` },
  { find: /^penstock\/workers\/xact-(.*)$/, replacement: `${at('./src/domains/xact/workers')}/xact-$1.ts` },
  { find: /^penstock\/testing$/, replacement: at('./src/testing/index.ts') },
  { find: /^penstock\/testing\/contract$/, replacement: at('./src/testing/contract/index.ts') },
  { find: /^penstock\/vitest$/, replacement: at('./src/testing/vitest.ts') },
];

export default defineConfig({
  plugins: [marbleSpecs()],
  resolve: { alias: doors },
  test: {
    include: ['test/**/*.test.ts', 'marbles/**/*.marbles.ts'],
    exclude: ['test/chaos/**', 'test/simulation/**', 'test/readers/**', 'test/broker/**', 'test/kafka/**', 'node_modules/**'],
    setupFiles: ['marbles/figures.setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
