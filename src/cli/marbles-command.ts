import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { builtIns } from '../../plugins/index.js';
import type { MarblePlay } from '../testing/play.js';
import { drawingOf, meaningsOf, renderMarbles } from '../testing/picture/index.js';
import { Configurations, readSpec, runCase, type SpecCase, SPEC_ENDING, tellCase } from '../testing/specs/index.js';
import { EXIT } from './exit-codes.js';
import type { Shell } from './shell.js';
import { specFiles, USUAL } from './test-command.js';

export interface RenderFlags {
  readonly out?: string;
  readonly check?: boolean;
}

/** What became of a figure: `gone` is one whose case is gone. */
type State = 'written' | 'fresh' | 'stale' | 'missing' | 'gone';

interface Figure {
  readonly path: string;
  readonly state: State;
}

/** Draws each case of the marble specs as it plays. */
export async function marblesRender(shell: Shell, files: readonly string[], flags: RenderFlags): Promise<number> {
  const run = new Rendering(shell, flags);
  for (const path of specFiles(files)) await run.spec(path);
  return run.end();
}

class Rendering {
  private readonly configurations = new Configurations({ catalogue: builtIns });
  private readonly figures: Figure[] = [];
  private failed = 0;

  constructor(
    private readonly shell: Shell,
    private readonly flags: RenderFlags,
  ) {}

  async spec(path: string): Promise<void> {
    const spec = await readSpec(path);
    if (spec.diagnostics.length > 0) {
      this.failed += 1;
      this.shell.show(spec.diagnostics);
      return;
    }
    const folder = this.folderOf(path);
    const names = namesOf(spec.cases);
    for (const one of spec.cases) {
      const result = await runCase(one, { configurations: this.configurations });
      // A picture of what does not hold would be a lie.
      if (result.passed) await this.figure(join(folder, names.get(one)!), pictureOf(one, result.play!));
      else {
        this.failed += 1;
        this.shell.notice([`${one.name}: not drawn, since it does not hold`, ...tellCase(result)].join('\n'));
      }
    }
    await this.leftover(folder, new Set(names.values()));
  }

  end(): number {
    const { shell, figures, failed } = this;
    const wrong = figures.filter(
      ({ state }) => state === 'stale' || state === 'missing' || (state === 'gone' && this.flags.check === true),
    );
    if (shell.json) {
      shell.print(JSON.stringify({ figures: figures.map(({ path, state }) => ({ path: shown(path), state })), failed }));
    } else {
      for (const { path, state } of figures) if (state !== 'fresh') shell.print(`${SAID[state]}  ${shown(path)}`);
      const fresh = figures.filter(({ state }) => state === 'fresh').length;
      if (fresh > 0) shell.notice(`${fresh} figure${fresh === 1 ? ' is' : 's are'} as drawn`);
      if (wrong.length > 0) shell.notice('penstock marbles render draws them anew');
    }
    return failed > 0 || wrong.length > 0 ? EXIT.findings : EXIT.fine;
  }

  private folderOf(path: string): string {
    const name = basename(path).replace(SPEC_ENDING, '');
    const { out } = this.flags;
    if (out === undefined) return join(dirname(path), 'figures', name);
    // Specs of one name in two folders stay apart.
    const [first = '', ...below] = relative(process.cwd(), dirname(path)).split(sep);
    if (first === '..') return join(resolve(out), name);
    return join(resolve(out), ...(first === USUAL ? below : [first, ...below]), name);
  }

  private async figure(path: string, svg: string): Promise<void> {
    const committed = await textOf(path);
    if (committed === svg) this.figures.push({ path, state: 'fresh' });
    else if (this.flags.check === true) this.figures.push({ path, state: committed === undefined ? 'missing' : 'stale' });
    else {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, svg);
      this.figures.push({ path, state: 'written' });
    }
  }

  /** Figures of ours that no case makes any more go; others' files stay. */
  private async leftover(folder: string, names: ReadonlySet<string>): Promise<void> {
    for (const name of await filesIn(folder)) {
      if (names.has(name) || !name.endsWith('.svg')) continue;
      const path = join(folder, name);
      if ((await textOf(path))?.startsWith(OURS) !== true) continue;
      this.figures.push({ path, state: 'gone' });
      if (this.flags.check !== true) await rm(path);
    }
  }
}

const OURS = '<svg xmlns="http://www.w3.org/2000/svg" class="marbles"';
const SAID: Readonly<Record<State, string>> = {
  written: 'written',
  fresh: 'fresh',
  stale: 'stale  ',
  missing: 'missing',
  gone: 'gone   ',
};

function pictureOf(one: SpecCase, play: MarblePlay): string {
  const { spec } = one;
  const subject = spec.config?.written.replace(/^(?:\.\.?\/)+/, '') ?? spec.title ?? basename(spec.path).replace(SPEC_ENDING, '');
  const stage = one.stage === undefined ? '' : ` · ${one.stage}`;
  return renderMarbles(
    drawingOf(play, { title: one.name, subject: `${subject}${stage}`, letters: { ...meaningsOf(play), ...written(one, play) } }),
  );
}

/** Fields told of one letter. */
const MOST_FIELDS = 3;

/** What the file says of the letters that enter, by which they differ first; what it leaves to be completed tells nothing. */
function written(one: SpecCase, play: MarblePlay): Readonly<Record<string, string>> {
  const entered = new Set(play.lanes.find(({ name }) => name === 'in')?.received.map(({ symbol }) => symbol));
  const said = new Map<string, readonly (readonly [name: string, text: string])[]>();
  for (const [letter, { fields, context }] of one.messages) {
    if (!entered.has(letter)) continue;
    const all = Object.entries({ ...fields, retry_count: context.retry_count ?? fields['retry_count'] });
    said.set(
      letter,
      all.filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value)).map(([name, value]) => [name, String(value)]),
    );
  }
  const shared = ([name, text]: readonly [string, string]): boolean =>
    [...said.values()].every((fields) => fields.some(([other, as]) => other === name && as === text));
  const meanings: Record<string, string> = {};
  for (const [letter, fields] of said) {
    const telling = [...fields.filter((field) => !shared(field)), ...fields.filter(shared)].slice(0, MOST_FIELDS);
    if (telling.length > 0) meanings[letter] = telling.map(([name, text]) => `${name}: ${text}`).join(' · ');
  }
  return meanings;
}

/** A file name for each case: its words, with dashes. */
function namesOf(cases: readonly SpecCase[]): ReadonlyMap<SpecCase, string> {
  const taken = new Set<string>();
  const names = new Map<SpecCase, string>();
  for (const one of cases) {
    const words = one.name
      .normalize('NFKD')
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-|-$/g, '')
      .replace(/^(.{1,60})(?:-.*)?$/, '$1');
    let name = words === '' ? 'case' : words;
    for (let more = 2; taken.has(name); more += 1) name = `${words}-${more}`;
    taken.add(name);
    names.set(one, `${name}.svg`);
  }
  return names;
}

async function filesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function shown(path: string): string {
  const below = relative(process.cwd(), path);
  return (below.startsWith('..') ? path : below).split(sep).join('/');
}
