import type { RenderFlags } from '../marbles-command.js';
import type { Declare } from './declare.js';

export const declareMarbles: Declare = (program, run) => {
  const marbles = program.command('marbles').description('what marble specs look like').helpCommand(false);
  const render = marbles
    .command('render')
    .description('draw each case of marble specs as an SVG figure')
    .argument('[files...]', 'specs, or folders of them (default: marbles)')
    .option('--out <dir>', 'where the figures go (default: figures/ beside each spec)')
    .option('--check', 'draw nothing; end with 1 when a figure is stale, missing or left over');
  render.action(async (files: readonly string[], flags: RenderFlags) => {
    await run(render, async (shell) => (await import('../marbles-command.js')).marblesRender(shell, files, flags));
  });
};
