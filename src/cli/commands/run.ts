import type { Catalogue } from '../../plugin/definition.js';
import { milliseconds, repeated } from '../parse-option.js';
import type { Declare } from '../program.js';
import type { RunFlags } from '../run.js';

export const declareRun =
  (catalogue: Catalogue): Declare =>
  (program, run) => {
    const command = program
      .command('run')
      .description('run workers')
      .option('--worker <name>', 'only this worker; may be given more than once (default: all)', repeated, [])
      .option('--domain <name>', 'only the workers of this domain')
      .option('--until-idle', 'end when every consumed topic is at its end and nothing is in flight; the report is the last line')
      .option('--no-wait-retries', 'with --until-idle: do not wait for retries that are not due; they stay where they are')
      .option('--no-api', 'no HTTP server')
      .option('--drain-timeout <duration>', 'how long a drain may take (default: as configured)', milliseconds);
    command.action(async (flags: RunFlags) => {
      await run(command, async (shell) => (await import('../run.js')).runCommand(shell, flags, catalogue));
    });
  };
