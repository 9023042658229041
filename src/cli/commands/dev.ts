import type { Catalogue } from '../../plugin/definition.js';
import type { DevFlags } from '../dev.js';
import { wholeNumber } from '../parse-option.js';
import type { Declare } from '../program.js';

export const declareDev =
  (catalogue: Catalogue): Declare =>
  (program, run) => {
    const command = program
      .command('dev')
      .description('run everything here: simulated events, all workers, an HTTP server on loopback')
      .option('--events <n>', 'so many simulated lines, then end when all have left (default: go on until interrupted)', wholeNumber)
      .option('--seed <seed>', 'the same seed gives the same events and the same faults', '1')
      .option('--rate <n>', 'events a second (default: 20, or as fast as can be with --events)', wholeNumber)
      .option('--send-webhooks', 'send webhooks instead of capturing them')
      .option('--no-api', 'no HTTP server');
    command.action(async (flags: DevFlags) => {
      await run(command, async (shell) => (await import('../dev.js')).devCommand(shell, flags, catalogue));
    });
  };
