import { Option } from 'commander';
import { port, wholeNumber } from '../parse-option.js';
import type { Declare } from './declare.js';
import type { SimulateFlags } from '../simulate-command.js';

export const declareSimulate: Declare = (program, run) => {
  const command = program
    .command('simulate')
    .description('seeded XACT events, and the server of the files that they point at')
    .option('--events <n>', 'how many lines, bad ones and duplicates among them (default: 1000; 0 with --serve)', wholeNumber)
    .addOption(new Option('--seed <seed>', 'the same seed gives the same lines').default('1', '1'))
    .option('--out <file>', 'where the lines go (default: standard output)')
    .option('--attachments <n>', 'so many for every event (default: none to three)', wholeNumber)
    .option('--no-faults', 'neither bad events nor bad files')
    .option('--serve', 'serve the files until interrupted')
    .option('--port <n>', 'the port of the file server (default: any)', port);
  command.action(async (flags: SimulateFlags) => {
    await run(command, async (shell) => (await import('../simulate-command.js')).simulateCommand(shell, flags));
  });
};
