import { Option } from 'commander';
import type { Declare } from './declare.js';
import { bytes } from '../parse-option.js';

interface IngestFlags {
  readonly domain: string;
  readonly maxRecord: number;
}

const MAX_RECORD = 8 * 1024 * 1024;

export const declareIngest: Declare = (program, run) => {
  const command = program
    .command('ingest')
    .description("put the lines of a file on a domain's raw topic")
    .argument('<file>', 'newline-delimited JSON; - is standard input')
    .requiredOption('--domain <name>', 'the domain that the events belong to')
    .addOption(new Option('--max-record <size>', 'longer lines are dead-lettered').argParser(bytes).default(MAX_RECORD, '8MiB'))
    .addHelpText('after', '\nWhat cannot be a record is dead-lettered with its bytes and line; see `penstock dlq ls`.');
  command.action(async (file: string, flags: IngestFlags) => {
    await run(command, async (shell) => (await import('../ingest-command.js')).ingestCommand(shell, file, flags));
  });
};
