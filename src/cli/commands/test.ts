import { Option } from 'commander';
import type { Declare } from '../program.js';
import type { TestFlags } from '../test-command.js';

export const declareTest: Declare = (program, run) => {
  const command = program
    .command('test')
    .description('run marble specs in virtual time')
    .argument('[files...]', 'specs, or folders of them (default: marbles)')
    .option('-t, --name <text>', 'only cases whose name contains this')
    .option('--update', 'write the lanes that were received back into the files')
    .option('--watch', 'run again when a spec or its configuration changes')
    .addOption(
      new Option('--reporter <name>', 'how results are told (default: pretty; json with --json)').choices([
        'pretty',
        'json',
        'junit',
        'tap',
      ]),
    );
  command.action(async (files: readonly string[], flags: TestFlags) => {
    await run(command, async (shell) => (await import('../test-command.js')).testCommand(shell, files, flags));
  });
};
