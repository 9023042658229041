import type { Command } from 'commander';
import type { Shell } from '../shell.js';

/** A command's work; it resolves to the exit code. */
export type Work = (shell: Shell) => Promise<number>;

/** Lets a declared command run its work: the shell is opened, errors become exit codes, everything printed is written before the end. */
export type Runner = (command: Command, work: Work) => Promise<void>;

/** Adds a command to the program. What it needs is imported when it runs: `penstock --help` loads nothing. */
export type Declare = (program: Command, run: Runner) => void;
