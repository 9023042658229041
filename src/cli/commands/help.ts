import { EXIT, UsageError } from '../exit-codes.js';
import type { Declare } from '../program.js';

export const declareHelp: Declare = (program, run) => {
  const command = program
    .command('help')
    .description('help for a command, for all error codes (errors) or for one of them (PS1203)')
    .argument('[subject]', 'a command, errors, or a code');
  command.action(async (subject?: string) => {
    await run(command, async (shell) => {
      if (subject === undefined) {
        shell.print(program.helpInformation().trimEnd());
        return EXIT.fine;
      }
      const named = program.commands.find((candidate) => candidate.name() === subject);
      if (named !== undefined) {
        shell.print(named.helpInformation().trimEnd());
        return EXIT.fine;
      }
      const { errorHelp } = await import('../error-help.js');
      const text = errorHelp(subject);
      if (text === undefined)
        throw new UsageError(`there is no help about "${subject}"`, 'penstock help, penstock help errors, penstock help PS1203');
      shell.print(text);
      return EXIT.fine;
    });
  });
};
