// Writes the generated parts of the documentation, between `<!-- generated: NAME -->` and `<!-- end -->`, from the built sources. With `--check` it
// writes nothing and fails when a part is stale.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { elsewhere, guarantees, requirements } from './requirements.mjs';
import { builtIns } from '../dist/plugins/index.js';
import { buildProgram } from '../dist/src/cli/program.js';
import { configReference, keysTable } from '../dist/src/config/index.js';
import { XACT_TABLES } from '../dist/src/domains/xact/tables.js';
import { metricsReference } from '../dist/src/observe/index.js';

const PARTS = {
  guarantees: () => proofs(guarantees),
  requirements: () => proofs(requirements),
  elsewhere: () =>
    Object.entries(elsewhere)
      .map(([id, why]) => `- **${id}** ${why}`)
      .join('\n'),
  commands: commandReference,
  configuration: configReference,
  metrics: metricsReference,
  operators: operatorCatalogue,
  drawn: () => ['runtime', 'examples'].flatMap(drawnCases).join('\n\n'),
  plugins: () => [...new Set(Object.values(builtIns))].map(pluginReference).join('\n\n'),
  tables: () => XACT_TABLES.map(tableReference).join('\n\n'),
  'processing-times': () =>
    XACT_TABLES.map(
      ({ name, columns }) =>
        `- \`${name}\`: ${columns
          .filter((column) => column.processingTime)
          .map((column) => `\`${column.name}\``)
          .join(', ')}`,
    ).join('\n'),
};
const FILES = ['cli', 'configuration', 'guarantees', 'metrics', 'operators', 'plugins', 'tables'];

function testFiles() {
  // The suite that every transport passes is tests that others run as well.
  return ['test', 'marbles', 'src/testing/contract'].flatMap((folder) =>
    readdirSync(new URL(`../${folder}`, import.meta.url), { recursive: true })
      .map((path) => `${folder}/${path.replaceAll('\\', '/')}`)
      .filter((path) => /\.ts$/.test(path) && !path.includes('.blocks'))
      .sort(),
  );
}

/** The tests that carry a number at the head of their name. */
function testsByNumber() {
  const found = new Map();
  for (const file of testFiles()) {
    const text = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');
    for (const [, , name] of text.matchAll(/\b(?:it|describe)(?:\.each\([^)]*\)|\.\w+)?\(\s*(['`])((?:(?!\1).)*?)\1/g)) {
      const head = /^((?:[A-GL]\d+(?:[,/ ]+(?:and )?)?)+):/.exec(name)?.[1] ?? '';
      for (const [number] of head.matchAll(/[A-GL]\d+/g)) found.set(number, [...(found.get(number) ?? []), { file, name }]);
    }
  }
  return found;
}

function proofs(list) {
  const tests = testsByNumber();
  return Object.entries(list)
    .map(([id, what]) => {
      const own = tests.get(id) ?? [];
      if (own.length === 0) throw new Error(`no test is named after ${id} (${what})`);
      const files = [...new Set(own.map(({ file }) => file))].map((file) => `[${file}](../${file})`);
      return `- **${id}** ${what}: ${files.join(', ')}`;
    })
    .join('\n');
}

function tableReference({ name, about, columns, partitionBy, mode, key, preserveOnUpdate }) {
  const facts = [
    `mode \`${mode}\``,
    ...(key.length > 0 ? [`key ${key.map((column) => `\`${column}\``).join(', ')}`] : []),
    ...(partitionBy.length > 0 ? [`partitioned by ${partitionBy.map((column) => `\`${column}\``).join(', ')}`] : []),
    ...(preserveOnUpdate.length > 0 ? [`kept on update ${preserveOnUpdate.map((column) => `\`${column}\``).join(', ')}`] : []),
  ];
  const rows = columns.map((column) => `| \`${column.name}\` | ${column.type} | ${column.about} |`);
  return [`### ${name}`, '', `${about} ${facts.join(' · ')}.`, '', '| column | type | holds |', '|---|---|---|', ...rows].join('\n');
}

/** A definition's own words: what it does, where it stands, what it may ask for, and its config. */
function pluginReference(definition) {
  const { spec } = definition;
  const names = Object.keys(builtIns).filter((name) => builtIns[name] === definition && name !== spec.name);
  const actions =
    typeof spec.effects?.actions === 'function'
      ? 'by its config'
      : (spec.effects?.actions ?? []).map((action) => `\`${action}\``).join(', ');
  const facts = [
    ['also called', names.map((name) => `\`${name}\``).join(', ')],
    ['runs at', spec.stages === undefined ? 'every stage' : spec.stages.map((stage) => `\`${stage}\``).join(', ')],
    ['domains', spec.domains === undefined ? 'all' : spec.domains.map((domain) => `\`${domain}\``).join(', ')],
    ['priority', String(spec.priority ?? 100)],
    ['may ask for', [actions, spec.effects?.filters ? 'filtering' : ''].filter((text) => text !== '').join(', ') || 'nothing'],
  ];
  return [
    `### ${spec.name}`,
    '',
    spec.summary,
    '',
    ...figure('plugins', spec.name.replaceAll('_', '-')),
    '',
    ...facts.filter(([, text]) => text !== '').map(([what, text]) => `- ${what}: ${text}`),
    '',
    ...(spec.config === undefined ? ['It has no config.'] : [keysTable(spec.config)]),
  ].join('\n');
}

/** Each operator with the words of its comment and the first case of its specification, drawn. */
function operatorCatalogue() {
  const files = readdirSync(new URL('../marbles/operators', import.meta.url)).sort();
  return files
    .map((file) => file.replace('.marbles.ts', ''))
    .map((name) => {
      const { symbol, comment } = documented(name);
      const [before, after = ''] = comment.split(/```marbles\n[\s\S]*?```/);
      return [
        `### ${symbol}`,
        '',
        before.trim(),
        '',
        ...figure('operators', name),
        '',
        ...(after.trim() === '' ? [] : [after.trim(), '']),
        `[Source](../operators/${name}.ts) · [specification](../marbles/operators/${name}.marbles.ts)`,
      ].join('\n');
    })
    .join('\n\n');
}

/** What workers and whole streams look like: the first case of each specification of a folder. */
function drawnCases(folder) {
  return readdirSync(new URL(`../marbles/${folder}`, import.meta.url))
    .filter((file) => file.endsWith('.marbles.ts'))
    .sort()
    .map((file) => file.replace('.marbles.ts', ''))
    .filter((name) => existsSync(new URL(`figures/${folder}/${name}.svg`, import.meta.url)))
    .map((name) => {
      const [shown] = figure(folder, name);
      const [, title] = /^!\[(.*?)\. /.exec(shown);
      return [`### ${titled(name)}`, '', `${sentence(title)} [Specification](../marbles/${folder}/${name}.marbles.ts)`, '', shown].join(
        '\n',
      );
    });
}

const titled = (name) => `${name.charAt(0).toUpperCase()}${name.slice(1).replaceAll('-', ' ')}`;

/** The function of an operator's file, that with a drawing if there is one, and its comment without its stars. */
function documented(name) {
  const text = readFileSync(new URL(`../operators/${name}.ts`, import.meta.url), 'utf8');
  const found = [...text.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\nexport function (\w+)/g)];
  const [, comment, symbol] = found.find(([, words]) => words.includes('```marbles')) ?? found[0] ?? [];
  if (comment === undefined) throw new Error(`operators/${name}.ts has no function with a comment`);
  return { symbol, comment: comment.replaceAll(/^ ?\* ?/gm, '').replaceAll(/\{@link (\w+)\}/g, '`$1`') };
}

/** A figure, with what it shows as text; drawn by the specification as it runs. */
function figure(folder, name) {
  const path = `figures/${folder}/${name}.svg`;
  const at = new URL(path, import.meta.url);
  if (!existsSync(at)) throw new Error(`docs/${path} is missing: npm run docs draws it from marbles/${folder}/${name}.marbles.ts`);
  const [, title, text] = /<title[^>]*>([^<]*)<\/title>\s*<desc[^>]*>([^<]*)<\/desc>/.exec(readFileSync(at, 'utf8'));
  return [`![${plain(title)}. ${plain(text)}](${path})`];
}

const plain = (text) => text.replaceAll(/[[\]]/g, '\\$&');

/** Every command that does something, with its arguments and its own options; those of all commands come last. */
function commandReference() {
  const program = buildProgram().command;
  const leaves = (command, words) =>
    command.commands.length === 0
      ? [{ command, words: [...words, command.name()] }]
      : command.commands.flatMap((inner) => leaves(inner, [...words, command.name()]));
  const sections = leaves(program, []).map(({ command, words }) => {
    const given = command.registeredArguments.map((argument) => {
      const name = `${argument.name()}${argument.variadic ? '…' : ''}`;
      return argument.required ? `<${name}>` : `[${name}]`;
    });
    const about = command.registeredArguments.map((argument) => `| \`${argument.name()}\` | ${escaped(argument.description)} |`);
    return [
      `### \`${[...words, ...given].join(' ')}\``,
      '',
      `${sentence(command.description())}`,
      ...optionTable([...about, ...optionRows(command)]),
    ].join('\n');
  });
  return [...sections, ['### Options of every command', ...optionTable(optionRows(program))].join('\n')].join('\n\n');
}

function optionTable(rows) {
  return rows.length === 0 ? [] : ['', '| | |', '|---|---|', ...rows];
}

function optionRows(command) {
  return command.options
    .filter(({ hidden }) => !hidden)
    .map(({ flags, description, defaultValue, defaultValueDescription, argChoices, mandatory, negate }) => {
      const isTold =
        defaultValue === undefined ||
        negate ||
        description.includes('default') ||
        (typeof defaultValue === 'number' && defaultValueDescription === undefined);
      const note = mandatory ? ' (required)' : isTold ? '' : ` (default: ${defaultValueDescription ?? defaultValue})`;
      const choices = argChoices === undefined || description.includes(argChoices[0]) ? '' : `: ${argChoices.join(', ')}`;
      return `| \`${flags}\` | ${escaped(description)}${choices}${note} |`;
    });
}

const escaped = (text) => text.replaceAll('|', '\\|');
const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

const check = process.argv.includes('--check');
let stale = 0;
for (const file of FILES) {
  const path = new URL(`${file}.md`, import.meta.url);
  const text = readFileSync(path, 'utf8');
  const fresh = text.replace(
    /<!-- generated: ([\w-]+) -->\n[\s\S]*?<!-- end -->/g,
    (_, name) => `<!-- generated: ${name} -->\n${PARTS[name]().trim()}\n<!-- end -->`,
  );
  if (fresh === text) continue;
  stale += 1;
  if (check) console.error(`docs/${file}.md is stale: npm run docs`);
  else writeFileSync(path, fresh);
}
process.exitCode = check && stale > 0 ? 1 : 0;
