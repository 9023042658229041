import { runProgram } from './program.js';

// Everything is written by now; a read from a terminal or pipe that nobody waits for any more must not keep the process.
process.exit(await runProgram(process.argv.slice(2)));
