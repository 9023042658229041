import { builtIns } from '../../plugins/index.js';
import { hasErrors, loadPipeline } from '../config/index.js';
import { type Diagnostic, countLine, renderJson, renderPretty } from '../diagnostics/index.js';
import { STAGE_SCHEMAS, XACT_STAGES } from '../domains/xact/stages.js';
import { XACT } from '../domains/xact/topics.js';
import { assemble } from '../plugin/index.js';
import { EXIT } from './exit-codes.js';
import { configPath } from './settings.js';
import type { Shell } from './shell.js';

export interface CheckFlags {
  readonly denyWarnings?: boolean;
}

/** Says everything that is wrong with the configuration. Nothing is connected, written or started. */
export async function checkCommand(shell: Shell, file: string | undefined, flags: CheckFlags): Promise<number> {
  const path = file ?? configPath(shell);
  const loaded = await loadPipeline({ configPath: path, env: shell.env, catalogue: builtIns });
  const assembled = loaded.config?.domains.includes(XACT)
    ? assemble({
        domain: XACT,
        entries: loaded.entries[XACT] ?? [],
        catalogue: builtIns,
        stages: XACT_STAGES.map((name) => ({ name, message: STAGE_SCHEMAS[name] })),
      }).diagnostics
    : [];
  const diagnostics: readonly Diagnostic[] = [...loaded.diagnostics, ...assembled];
  if (shell.json) shell.out.write(renderJson(diagnostics));
  else {
    shell.out.write(renderPretty(diagnostics, { source: (name) => loaded.sources.get(name), color: shell.color }));
    shell.print(countLine(diagnostics));
  }
  const denied = flags.denyWarnings === true && diagnostics.some(({ severity }) => severity === 'warning');
  return hasErrors(diagnostics) || denied ? EXIT.findings : EXIT.fine;
}
