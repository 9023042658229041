import type { PipeFlags } from '../pipe-command.js';
import type { Declare } from './declare.js';

export const declarePipe: Declare = (program, run) => {
  const command = program
    .command('pipe')
    .description("one stage's chain as a filter between files")
    .requiredOption('--domain <name>', 'the domain whose plugins run')
    .requiredOption('--stage <name>', 'the stage whose chain runs')
    .option('--actions <file>', 'where actions are told (default: standard error); they are not done')
    .option('--event-type <type>', 'the full event type of all messages, for stages whose messages do not hold it')
    .addHelpText(
      'after',
      '\nLines on standard input are messages of the stage, as they are. What passes goes out in order, bytes kept unless amended.\n--config may name a pipeline or a plugins file. The last line on standard error is the counts by door.',
    );
  command.action(async (flags: PipeFlags) => {
    await run(command, async (shell) => (await import('../pipe-command.js')).pipeCommand(shell, flags));
  });
};
