import type { Command } from 'commander';
import { EXIT, UsageError } from '../exit-codes.js';
import type { Declare } from './declare.js';

export const declareHelp: Declare = (program, run) => {
  const command = program
    .command('help')
    .description('help for a command, for all error codes (errors) or for one of them (PS1203)')
    .argument('[subject...]', 'a command, errors, or a code');
  command.action(async (words: readonly string[]) => {
    await run(command, async (shell) => {
      if (words.length === 0) {
        shell.print(program.helpInformation().trimEnd());
        return EXIT.fine;
      }
      const named = commandCalled(program, words);
      if (named !== undefined) {
        shell.print(named.helpInformation().trimEnd());
        return EXIT.fine;
      }
      const subject = words.join(' ');
      const { errorHelp } = await import('../error-help.js');
      const text = errorHelp(subject);
      if (text === undefined)
        throw new UsageError(`there is no help about "${subject}"`, 'penstock help, penstock help errors, penstock help PS1203');
      shell.print(text);
      return EXIT.fine;
    });
  });
};

/** The command that the words lead to, each one level deeper: `dlq replay`. */
function commandCalled(program: Command, words: readonly string[]): Command | undefined {
  let found: Command | undefined = program;
  for (const word of words) found = found?.commands.find((candidate) => candidate.name() === word);
  return found;
}
