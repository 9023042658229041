import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';
import { loadPipeline, type Environment, type LoadedPipeline } from '../../src/config/index.js';
import { renderPretty } from '../../src/diagnostics/index.js';
import { catalogue } from './catalogue.js';

const made: string[] = [];
afterAll(() => {
  for (const folder of made) rmSync(folder, { recursive: true });
});

/** A fresh folder with these files. */
export function folder(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'penstock-config-'));
  made.push(root);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}

/** A pipeline over a file of XACT plugins. */
export const XACT = 'kafka: { xact: { plugins: { config_path: xact_plugins.yaml } } }\n';

/** Loads `pipeline.yaml` of a fresh folder. */
export function load(
  files: Readonly<Record<string, string>>,
  env: Environment = {},
  configPath = 'pipeline.yaml',
): Promise<LoadedPipeline> {
  return loadPipeline({ configPath, env, catalogue, cwd: folder(files) });
}

/** Findings as a person sees them. */
export function printed(loaded: LoadedPipeline): string {
  return renderPretty(loaded.diagnostics, { source: (file) => loaded.sources.get(file) });
}
