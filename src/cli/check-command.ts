import { relative } from 'node:path';
import { builtIns } from '../../plugins/index.js';
import { checkReport } from '../config/check-report.js';
import { checkPipeline } from '../config/check-pipeline.js';
import { hasErrors } from '../config/index.js';
import { renderJson } from '../diagnostics/index.js';
import { EXIT } from './exit-codes.js';
import { configPath } from './settings.js';
import type { Shell } from './shell.js';
import { XACT_FACTS } from './xact-facts.js';

export interface CheckFlags {
  readonly denyWarnings?: boolean;
}

/** Says everything that is wrong with the configuration. Nothing is connected, written or started. */
export async function checkCommand(shell: Shell, file: string | undefined, { denyWarnings = false }: CheckFlags): Promise<number> {
  const path = file ?? configPath(shell);
  const checked = await checkPipeline({ configPath: path, env: shell.env, catalogue: builtIns, facts: [XACT_FACTS] });
  const { diagnostics } = checked;
  if (shell.json) shell.out.write(renderJson(diagnostics));
  else shell.out.write(checkReport(checked, relative(process.cwd(), path) || path, { color: shell.color, denyWarnings }));
  const denied = denyWarnings && diagnostics.some(({ severity }) => severity === 'warning');
  return hasErrors(diagnostics) || denied ? EXIT.findings : EXIT.fine;
}
