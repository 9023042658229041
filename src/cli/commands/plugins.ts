import type { Declare } from './declare.js';

export const declarePlugins: Declare = (program, run) => {
  const plugins = program.command('plugins').description('the plugins that are built in').helpCommand(false);
  const ls = plugins.command('ls').description('what they are called, where they run and what they do');
  ls.action(async () => {
    await run(ls, async (shell) => {
      const [{ pluginsLs }, { builtIns }] = await Promise.all([import('../plugins-command.js'), import('../../../plugins/index.js')]);
      return pluginsLs(shell, builtIns);
    });
  });
};
