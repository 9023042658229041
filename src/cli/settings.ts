import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasErrors, loadPipeline, type LoadedPipeline, type PipelineConfig } from '../config/index.js';
import type { Diagnostic } from '../diagnostics/index.js';
import type { Catalogue } from '../plugin/definition.js';
import { InvalidConfiguration, UsageError } from './exit-codes.js';
import { brokersIn, type Shell } from './shell.js';

const USUAL = join('config', 'pipeline.yaml');

/** The pipeline file: the one that was named, else the usual one of the working directory, else the one that ships. */
export function configPath(shell: Pick<Shell, 'config'>): string {
  if (shell.config !== undefined) return resolve(shell.config);
  const here = resolve(USUAL);
  return existsSync(here) ? here : join(packageRoot(), USUAL);
}

/** The folder of this package. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

/** The settings of the pipeline, for commands that run no plugins: what is wrong with plugins is not their business. */
export async function loadSettings(shell: Shell): Promise<PipelineConfig> {
  const { config, diagnostics } = await loadPipeline({ configPath: configPath(shell), env: shell.env, catalogue: {} });
  if (config === undefined) throw new InvalidConfiguration(diagnostics);
  return onLogOf(shell, config);
}

/** The configuration with the log that the command line asks for; where nothing names brokers, `KAFKA_BROKERS` does, whatever file is in use. */
export function onLogOf({ transport, brokers, env }: Pick<Shell, 'transport' | 'brokers' | 'env'>, config: PipelineConfig): PipelineConfig {
  if (transport === 'embedded') {
    if (brokers !== undefined) throw new UsageError('--brokers are of no use with --transport embedded', 'leave one of them out');
    return { ...config, brokers: [] };
  }
  const named = brokers ?? (config.brokers.length > 0 ? config.brokers : brokersIn(env['KAFKA_BROKERS']));
  if (named.length === 0 && (transport === 'kafka' || brokers !== undefined)) {
    throw new UsageError('no broker is named', 'give --brokers host:port, set KAFKA_BROKERS, or write kafka.brokers');
  }
  return { ...config, brokers: named };
}

/** The whole pipeline with its plugins. Throws `InvalidConfiguration` when anything of it has an error. */
export async function loadWhole(
  shell: Shell,
  catalogue: Catalogue,
  domains?: readonly string[],
): Promise<LoadedPipeline & { readonly config: PipelineConfig }> {
  const loaded = await loadPipeline({
    configPath: configPath(shell),
    env: shell.env,
    catalogue,
    ...(domains === undefined ? {} : { domains }),
  });
  if (loaded.config === undefined || hasErrors(loaded.diagnostics))
    throw new InvalidConfiguration(await allFindings(shell, catalogue, domains));
  return { ...loaded, config: onLogOf(shell, loaded.config) };
}

/** All that `check` would say: who mends a file wants to mend it once. */
async function allFindings(shell: Shell, catalogue: Catalogue, domains: readonly string[] | undefined): Promise<readonly Diagnostic[]> {
  const [{ checkPipeline }, { XACT_FACTS }] = await Promise.all([import('../config/check-pipeline.js'), import('./xact-facts.js')]);
  const checked = await checkPipeline({
    configPath: configPath(shell),
    env: shell.env,
    catalogue,
    facts: [XACT_FACTS],
    ...(domains === undefined ? {} : { domains }),
  });
  return checked.diagnostics;
}
