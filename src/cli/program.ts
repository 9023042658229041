import { Command, CommanderError, Option } from 'commander';
import { declareCheck } from './commands/check.js';
import type { Declare, Runner } from './commands/declare.js';
import { declareDlq } from './commands/dlq.js';
import { declareHelp } from './commands/help.js';
import { declareIngest } from './commands/ingest.js';
import { declareMarbles } from './commands/marbles.js';
import { declarePipe } from './commands/pipe.js';
import { declarePlugins } from './commands/plugins.js';
import { declareDev, declareRun } from './commands/run.js';
import { declareSimulate } from './commands/simulate.js';
import { declareTest } from './commands/test.js';
import { declareTopics } from './commands/topics.js';
import { EXIT, exitCodeOf } from './exit-codes.js';
import { report } from './report.js';
import { LOG_KINDS, type Shell, shellOf } from './shell.js';
import { version } from './version.js';

const COMMANDS: readonly Declare[] = [
  declareDev,
  declareRun,
  declareIngest,
  declarePipe,
  declareSimulate,
  declareTopics,
  declareCheck,
  declareTest,
  declareMarbles,
  declareDlq,
  declarePlugins,
  declareHelp,
];

/** The command line, and what its command answered. */
export interface Program {
  readonly command: Command;
  exitCode(): number;
}

export function buildProgram(): Program {
  let exitCode: number = EXIT.fine;
  const program = new Command('penstock')
    .description('stream routing with marble-tested plugins')
    .option('-c, --config <file>', 'the pipeline file (default: config/pipeline.yaml)')
    .option('--data <dir>', 'the data directory (default: .penstock)')
    .option('-e, --env-file <file>', 'variables for the configuration; what the environment has wins')
    .addOption(new Option('--transport <log>', 'the log: kafka or embedded (default: kafka where brokers are named)').choices(LOG_KINDS))
    .option('--brokers <list>', 'Kafka brokers as host:port, with commas between')
    .option('--json', 'results as JSON on standard output')
    .option('--no-color', 'no colours')
    .option('-q, --quiet', 'no notices')
    .option('-v, --verbose', 'more of the log; twice for everything', (_, level: number) => level + 1, 0)
    .version(version(), '--version', 'the version')
    .helpOption('-h, --help', 'what there is to say')
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .showSuggestionAfterError()
    .showHelpAfterError('  = help: add --help for what there is')
    .configureOutput({ outputError: (text, write) => write(inOurWords(text)) })
    .exitOverride();

  const run: Runner = async (command, work) => {
    let shell: Shell | undefined;
    try {
      shell = shellOf(command);
      exitCode = await work(shell);
      await shell.out.flush();
    } catch (error) {
      if (isClosedPipe(error)) return;
      exitCode = exitCodeOf(error);
      report(error, shell);
    }
  };
  for (const declare of COMMANDS) declare(program, run);
  return { command: program, exitCode: () => exitCode };
}

/** Runs the command line; resolves to the exit code. */
export async function runProgram(argv: readonly string[]): Promise<number> {
  const program = buildProgram();
  try {
    await program.command.parseAsync(argv, { from: 'user' });
    return program.exitCode();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 || error.code === 'commander.helpDisplayed' ? EXIT.fine : EXIT.usage;
  }
}

/** What was meant is said as everywhere else. */
function inOurWords(text: string): string {
  return text.replace(/^\(Did you mean (one of )?(.+)\?\)$/m, '  = help: did you mean $2?');
}

/** Whoever read our output wants no more of it (`| head`): that is their right. */
function isClosedPipe(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === 'EPIPE';
}
