import { Option } from 'commander';
import { duration, positiveNumber, wholeNumber } from '../parse-option.js';
import type { Declare } from './declare.js';
import type { DevFlags } from '../dev.js';
import type { RunFlags } from '../run.js';

const collect = (value: string, earlier: readonly string[] = []): readonly string[] => [...earlier, value];

export const declareRun: Declare = (program, run) => {
  const command = program
    .command('run')
    .description('run workers')
    .option('--worker <name>', 'only this worker; may stand several times', collect)
    .option('--domain <name>', 'only the workers of this domain')
    .option('--until-idle', 'end when nothing is left to do, with the counts as the last line')
    .option('--no-wait-retries', 'with --until-idle: do not wait for the delays of retries')
    .option('--no-api', 'no HTTP server for metrics and health')
    .option('--drain-timeout <duration>', 'how long a drain may take', duration);
  command.action(async (flags: RunFlags) => {
    await run(command, async (shell) => {
      const [{ runCommand }, { builtIns }] = await Promise.all([import('../run.js'), import('../../../plugins/index.js')]);
      return runCommand(shell, flags, builtIns);
    });
  });
};

export const declareDev: Declare = (program, run) => {
  const command = program
    .command('dev')
    .description('run everything here: simulated events, their files, all workers, an HTTP server')
    .option('--events <n>', 'end when so many events, and what became of them, have left', wholeNumber)
    .addOption(new Option('--seed <seed>', 'the same seed gives the same events').default('1', '1'))
    .option('--rate <n>', 'events a second (default: 20; with --events as fast as possible)', positiveNumber)
    .option('--send-webhooks', 'really send webhooks and mail')
    .option('--no-api', 'no HTTP server for metrics and health');
  command.action(async (flags: DevFlags) => {
    await run(command, async (shell) => {
      const [{ devCommand }, { builtIns }] = await Promise.all([import('../dev.js'), import('../../../plugins/index.js')]);
      return devCommand(shell, flags, builtIns);
    });
  });
};
