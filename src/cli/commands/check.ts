import type { CheckFlags } from '../check-command.js';
import type { Declare } from './declare.js';

export const declareCheck: Declare = (program, run) => {
  const command = program
    .command('check')
    .description('config, plugins, conditions, topology; without any effect')
    .argument('[file]', 'a pipeline or plugins file (default: --config)')
    .option('--deny-warnings', 'warnings fail as well');
  command.action(async (file: string | undefined, flags: CheckFlags) => {
    await run(command, async (shell) => (await import('../check-command.js')).checkCommand(shell, file, flags));
  });
};
