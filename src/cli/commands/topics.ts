import { wholeNumber } from '../parse-option.js';
import type { Declare } from './declare.js';
import type { CatFlags } from '../topics-command.js';

export const declareTopics: Declare = (program, run) => {
  const topics = program.command('topics').description('what the log holds').helpCommand(false);
  const ls = topics.command('ls').description('topics, their partitions and how many records they hold');
  ls.action(async () => {
    await run(ls, async (shell) => (await import('../topics-command.js')).topicsLs(shell));
  });
  const plan = topics.command('plan').description('what the configuration wants of topics and the log does not have');
  plan.action(async () => {
    await run(plan, async (shell) => (await import('../topics-command.js')).topicsPlan(shell, { apply: false }));
  });
  const apply = topics.command('apply').description('make what is missing and grow what has too few partitions; never shrinks or deletes');
  apply.action(async () => {
    await run(apply, async (shell) => (await import('../topics-command.js')).topicsPlan(shell, { apply: true }));
  });
  const cat = topics
    .command('cat')
    .description("a topic's records as JSON lines")
    .argument('<topic>', 'its name')
    .option('--partition <n>', 'only this partition', wholeNumber)
    .option('--from <offset>', 'from this offset on', wholeNumber)
    .option('--limit <n>', 'at most so many records', wholeNumber)
    .option('--values', 'only the values, bytes as they are');
  cat.action(async (topic: string, flags: CatFlags) => {
    await run(cat, async (shell) => (await import('../topics-command.js')).topicsCat(shell, topic, flags));
  });
};
