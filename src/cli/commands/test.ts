import { Option } from 'commander';
import { percentage } from '../parse-option.js';
import type { Declare } from './declare.js';
import type { TestFlags } from '../test-command.js';

export const declareTest: Declare = (program, run) => {
  const command = program
    .command('test')
    .description('run marble specs in virtual time')
    .argument('[files...]', 'specs, or folders of them (default: marbles)')
    .option('-t, --name <text>', 'only cases whose name contains this')
    .option('--update', 'write the lanes that were received back into the files')
    .option('--watch', 'run again when a spec or its configuration changes')
    .option('--rules', 'tell which conditions, routes and plugins of the configurations no case makes happen')
    .option('--mutate', 'make small mistakes in the configurations, and tell those that no case notices')
    .option('--threshold <percent>', 'how much of the rules must be seen, or of the mutants noticed', percentage, 100)
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
