import { type Command, Option } from 'commander';
import type { FilterFlags, ReplayFlags, ShowFlags } from '../dlq-command.js';
import { instant, wholeNumber } from '../parse-option.js';
import type { Declare } from './declare.js';

const CATEGORIES = ['transient', 'auth', 'permanent', 'circuit_open', 'unknown'];
const domainOption = (): Option => new Option('--domain <name>', 'whose dead letters').default('xact', 'xact');

function filtered(command: Command): Command {
  return command
    .addOption(domainOption())
    .option('--reason <reason>', 'given up for this reason')
    .addOption(new Option('--category <category>', 'given up for an error of this kind').choices(CATEGORIES))
    .option('--worker <name>', 'given up by this worker')
    .option('--topic <topic>', 'whose message came from this topic')
    .option('--trace-id <id>', 'of this event')
    .option('--media-id <id>', 'of this attachment')
    .option('--since <instant>', 'given up at this time or later', instant)
    .option('--until <instant>', 'given up before this time', instant)
    .option('--limit <n>', 'at most so many', wholeNumber);
}

export const declareDlq: Declare = (program, run) => {
  const dlq = program.command('dlq').description('messages that were given up').helpCommand(false);
  const ls = filtered(dlq.command('ls').description('list them with where they came from and why'));
  ls.action(async (flags: FilterFlags) => {
    await run(ls, async (shell) => (await import('../dlq-command.js')).dlqLs(shell, flags));
  });
  const show = dlq
    .command('show')
    .description('one of them whole')
    .argument('<position...>', 'partition:offset in the dead-letter topic')
    .addOption(domainOption())
    .option('--bytes', "only the original record's bytes");
  show.action(async (positions: string[], flags: ShowFlags) => {
    await run(show, async (shell) => (await import('../dlq-command.js')).dlqShow(shell, positions, flags));
  });
  const replay = filtered(dlq.command('replay').description('send them again to where they came from; a dry run without --yes'))
    .argument('[position...]', 'partition:offset in the dead-letter topic')
    .option('--all', 'every one of them')
    .option('--yes', 'really send them')
    .option('--again', 'those too that were sent again before');
  replay.action(async (positions: string[], flags: ReplayFlags) => {
    await run(replay, async (shell) => (await import('../dlq-command.js')).dlqReplay(shell, positions, flags));
  });
};
