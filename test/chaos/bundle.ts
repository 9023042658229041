import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Makes one JavaScript file of a program in this folder, for a process of its own; answers its path. */
export async function bundle(program: string): Promise<string> {
  const outDir = join(ROOT, 'node_modules', '.penstock-test', `${program}-${process.pid}`);
  await build({
    root: ROOT,
    configFile: false,
    logLevel: 'error',
    build: { ssr: join(ROOT, 'test', 'chaos', `${program}.ts`), outDir, emptyOutDir: true, minify: false, target: 'node20' },
  });
  return join(outDir, `${program}.js`);
}
