import type { Catalogue } from '../plugin/definition.js';
import { catalogueNames, isDefinition } from '../plugin/loader/catalogue.js';
import { EXIT } from './exit-codes.js';
import type { Shell } from './shell.js';

/** Lists the plugins of a catalogue, each once, by the name that it has itself. */
export async function pluginsLs(shell: Shell, catalogue: Catalogue): Promise<number> {
  const specs = [...new Set(Object.values(catalogue))]
    .filter(isDefinition)
    .map(({ spec }) => spec)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const rows = specs.map(({ name, version, summary, domains = [], stages = [] }) => ({
    name,
    version,
    summary,
    domains,
    stages,
    also_called: catalogueNames(catalogue).filter((key) => key !== name && specOf(catalogue, key) === name),
  }));
  if (shell.json) {
    for (const row of rows) shell.print(JSON.stringify(row));
    return EXIT.fine;
  }
  const cells = [
    ['plugin', 'domains', 'runs at', 'what it does'],
    ...rows.map(({ name, domains, stages, summary }) => [name, namesOf(domains), stages.join(', ') || 'every stage', summary]),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...cells.map((row) => row[column]!.length)));
  for (const row of cells) shell.print(row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  return EXIT.fine;
}

const namesOf = (domains: readonly string[]): string => (domains.length === 0 ? 'all' : domains.join(', '));

function specOf(catalogue: Catalogue, key: string): string | undefined {
  const found = catalogue[key];
  return isDefinition(found) ? found.spec.name : undefined;
}
