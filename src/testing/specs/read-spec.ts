import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { findPath, shown } from '../../config/find-file.js';
import { finding, missingVariable } from '../../config/findings.js';
import { openYaml, unreadable } from '../../config/open-yaml.js';
import { YamlFile } from '../../config/yaml-file.js';
import { type Code, type Diagnostic, didYouMean, fit, oneOf, type Path, sortDiagnostics } from '../../diagnostics/index.js';
import { LaneError, parseLane, parseListening } from '../lane.js';
import { MockedActions } from '../mocks.js';
import { laneFault } from './lane-names.js';
import { readMessages } from './read-messages.js';
import type { Spec, SpecCase, SpecChange, SpecLane, SpecMessage } from './spec.js';
import { MARBLES_KEY, specSchema, type WrittenCase, type WrittenLane, type WrittenSpec } from './spec-schema.js';
import { SPEC_DOMAINS } from './stage-world.js';

export interface ReadSpecOptions {
  /** Where relative paths start that are not found beside the file. Defaults to the working directory of the process. */
  readonly cwd?: string;
}

/** Reads a file of marble specs. Never rejects: whatever is wrong with it becomes a diagnostic, all of them at once. */
export async function readSpec(path: string, { cwd = process.cwd() }: ReadSpecOptions = {}): Promise<Spec> {
  const opened = await openYaml(path, cwd);
  if (opened instanceof YamlFile) return await new SpecReader(path, opened, cwd).read();
  return unusable(path, new YamlFile('', shown(path, cwd)), [opened]);
}

function unusable(path: string, yaml: YamlFile, diagnostics: readonly Diagnostic[]): Spec {
  return {
    path,
    file: yaml.file,
    title: undefined,
    yaml,
    config: undefined,
    inline: false,
    domain: undefined,
    cases: [],
    diagnostics,
    files: [path],
  };
}

class SpecReader {
  private readonly diagnostics: Diagnostic[] = [];
  private readonly files = new Set<string>();
  /** Lines whose values lack a variable: what else is wrong with them is not known. */
  private readonly unset = new Set<number>();

  constructor(
    private readonly path: string,
    private readonly yaml: YamlFile,
    private readonly cwd: string,
  ) {
    this.files.add(path);
  }

  async read(): Promise<Spec> {
    const { yaml, path } = this;
    if (yaml.diagnostics.length > 0) return unusable(path, yaml, yaml.diagnostics);
    const written = this.fitted();
    if (written === undefined) return unusable(path, yaml, sortDiagnostics(this.diagnostics));
    const cases: SpecCase[] = [];
    const spec: Spec = {
      path,
      file: yaml.file,
      title: written.title,
      yaml,
      config: await this.config(written),
      inline: written.plugins !== undefined,
      domain: this.domain(written),
      cases,
      diagnostics: this.diagnostics,
      files: [],
    };
    const messages = readMessages(written.messages, ['messages'], new Map(), this.messages());
    this.mocks(written.mocks, ['mocks']);
    const names = new Map<string, number>();
    written.cases.forEach((one, index) => {
      cases.push(this.case(spec, written, one, index, messages));
      if (names.has(one.name))
        this.find('PS5001', ['cases', index, 'name'], `two cases are called "${one.name}"`, 'give one of them another name');
      names.set(one.name, index);
    });
    if (cases.length === 0 && yaml.has(['cases'])) {
      this.find('PS5026', ['cases'], 'the file has no case, so it says nothing', 'write one: - name: …, in: …, expect: …');
    }
    const known = this.diagnostics.filter(({ code, line }) => code === 'PS1301' || line === undefined || !this.unset.has(line));
    return { ...spec, diagnostics: sortDiagnostics(known), files: [...this.files] };
  }

  private messages() {
    const { yaml, cwd } = this;
    return {
      yaml,
      cwd,
      folder: dirname(this.path),
      read: (path: string) => void this.files.add(path),
      report: (diagnostic: Diagnostic) => void this.diagnostics.push(diagnostic),
    };
  }

  private fitted(): WrittenSpec | undefined {
    const { yaml } = this;
    if (yaml.empty) {
      this.diagnostics.push(
        finding('PS5026', 'error', { file: yaml.file, line: 1, column: 1 }, 'the file is empty', 'write cases: and one case under it'),
      );
      return undefined;
    }
    const reading = yaml.read(this.environment());
    for (const variable of reading.missing) {
      this.diagnostics.push(missingVariable(variable, variable.path.join('.')));
      this.unset.add(variable.place.line);
    }
    const { value, diagnostics } = fit(specSchema, reading.value, { locate: (where, part) => yaml.place(where, part), title: 'the spec' });
    this.diagnostics.push(...diagnostics);
    return value ?? acceptable(reading.value);
  }

  /** The variables that the file itself says, for the references in its own text. */
  private environment(): Readonly<Record<string, string>> {
    const { value } = this.yaml.read({}, ['env']);
    return Object.fromEntries(Object.entries(value ?? {}).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
  }

  private async config({ config, plugins }: WrittenSpec): Promise<Spec['config']> {
    if (config === undefined) {
      if (plugins === undefined) {
        const help = 'write config: and the path of a plugins file, or plugins: and a list';
        this.find('PS1101', [], 'the spec says not what is under test', help);
      }
      return undefined;
    }
    if (plugins !== undefined) this.find('PS5001', ['plugins'], 'the spec has config and plugins', 'leave one of them out', 'key');
    const beside = resolve(dirname(this.path), config);
    const path = readable(beside) ? beside : await findPath(config, this.path, this.cwd);
    if (path !== undefined && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) {
      this.diagnostics.push(
        unreadable(config, 'it is a folder', this.yaml.place(['config']), 'name the plugins file or the pipeline file in it'),
      );
      return undefined;
    }
    if (path !== undefined) return { written: config, path };
    const looked = [beside, resolve(this.cwd, config)].map((one) => shown(one, this.cwd));
    this.diagnostics.push(
      unreadable(config, 'there is no such file', this.yaml.place(['config']), `it was looked for at ${[...new Set(looked)].join(', ')}`),
    );
    return undefined;
  }

  private domain({ domain }: WrittenSpec): string | undefined {
    if (domain === undefined || SPEC_DOMAINS.includes(domain)) return domain;
    this.find('PS1102', ['domain'], `domain must be ${oneOf(SPEC_DOMAINS)}, this is "${domain}"`);
    return undefined;
  }

  private mocks(mocks: WrittenSpec['mocks'], base: Path): void {
    for (const [name, answers] of Object.entries(mocks)) {
      try {
        new MockedActions({ [name]: answers });
      } catch (error) {
        if (!(error instanceof LaneError)) throw error;
        const wrong = typeof answers === 'string' ? -1 : answers.findIndex((answer) => error.message.endsWith(`found "${answer}"`));
        const path = [...base, name, ...(wrong < 0 ? [] : [wrong])];
        const [what, found] = error.message.split('; found ');
        const kind = /only .* can be answered/.test(error.message);
        const near = kind ? didYouMean(name.split(' ', 1)[0]!, MOCKED) : undefined;
        const help = near === undefined ? undefined : `did you mean "${[near, ...name.split(' ').slice(1)].join(' ')}"?`;
        this.find('PS5025', path, found === undefined ? what! : `${what}; this is ${found}`, help, kind ? 'key' : 'value');
      }
    }
  }

  private case(spec: Spec, file: WrittenSpec, written: WrittenCase, index: number, shared: ReadonlyMap<string, SpecMessage>): SpecCase {
    const base: Path = ['cases', index];
    this.mocks(written.mocks, [...base, 'mocks']);
    const messages = readMessages(written.messages, [...base, 'messages'], shared, this.messages());
    const lanes = this.lanes(written, base, messages);
    const start = written.start ?? file.start;
    return {
      name: written.name,
      index,
      spec,
      stage: written.stage ?? file.stage,
      env: { ...file.env, ...written.env },
      changes: [...changesOf(file.with, ['with']), ...changesOf(written.with, [...base, 'with'])],
      mocks: { ...file.mocks, ...written.mocks },
      messages,
      lanes,
      ignore: [...file.ignore, ...written.ignore],
      inFlight: written.in_flight,
      startAt: start === undefined ? 0 : Date.parse(start),
    };
  }

  private lanes(written: WrittenCase, base: Path, messages: ReadonlyMap<string, SpecMessage>): readonly SpecLane[] {
    const plain = (name: 'in' | 'sub', marbles: string): SpecLane => ({
      name,
      path: [...base, name],
      marbles,
      unordered: false,
      content: {},
    });
    const lanes: SpecLane[] = [plain('in', written.in)];
    if (written.sub !== undefined) lanes.push(plain('sub', written.sub));
    for (const [name, lane] of Object.entries(written.expect)) {
      const path = [...base, 'expect', name];
      const fault = laneFault(name);
      if (fault !== undefined) this.find('PS5021', path, fault.message, fault.help, 'key');
      const marbles = this.yaml.keys(path).includes(MARBLES_KEY) ? [...path, MARBLES_KEY] : path;
      lanes.push({ ...(lane as WrittenLane), name, path: marbles });
    }
    for (const lane of lanes) this.lane(lane, messages);
    return lanes;
  }

  /** Everything that can be said of a lane before it plays. */
  private lane({ name, marbles, path, content }: SpecLane, messages: ReadonlyMap<string, SpecMessage>): void {
    try {
      if (name === 'sub') {
        parseListening(name, marbles);
        return;
      }
      const drawn = parseLane(name, marbles);
      const letters = new Set<string>();
      for (const { kind, symbol, at } of drawn.marks) {
        if (kind !== 'next' || letters.has(symbol)) continue;
        letters.add(symbol);
        if (messages.has(symbol)) continue;
        const known = [...messages.keys()];
        const help = known.length === 0 ? `add it: messages: { ${symbol}: {} }` : `add it under messages, or draw ${oneOf(known)}`;
        this.findInside('PS5022', path, at ?? 0, `no message is called "${symbol}"`, help);
      }
      for (const letter of Object.keys(content)) {
        if (letters.has(letter)) continue;
        this.find('PS5022', [...path.slice(0, -1), 'content', letter], `the lane does not draw "${letter}"`, undefined, 'key');
      }
    } catch (error) {
      if (!(error instanceof LaneError)) throw error;
      this.findInside(error.code, path, error.at ?? 0, error.message);
    }
  }

  private find(code: Code, path: Path, message: string, help?: string, part: 'key' | 'value' = 'value'): void {
    this.diagnostics.push(finding(code, 'error', this.yaml.place(path, part), message, help));
  }

  /** At one sign of a text. */
  private findInside(code: Code, path: Path, offset: number, message: string, help?: string): void {
    const place = this.yaml.placeInside(path, offset);
    this.diagnostics.push(finding(code, 'error', { ...place, endLine: place.line, endColumn: place.column + 1 }, message, help));
  }
}

function changesOf({ plugins }: WrittenSpec['with'], base: Path): readonly SpecChange[] {
  return Object.entries(plugins).map(([plugin, change]) => ({ plugin, change, path: [...base, 'plugins', plugin] }));
}

function readable(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch {
    return false; // a directory and a file that is not there are looked for elsewhere
  }
}

/** What is left of a file when all is taken away that its schema refuses, so that what else is wrong can be told as well. */
function acceptable(written: unknown): WrittenSpec | undefined {
  const value: unknown = structuredClone(written);
  const emptied = new Set<string>();
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const result = specSchema.safeParse(value);
    if (result.success) return result.data;
    for (const { path, ...issue } of result.error.issues) {
      const parent = memberAt(value, path.slice(0, -1));
      const step = path[path.length - 1];
      if ('keys' in issue) for (const key of issue.keys) Reflect.deleteProperty(Object(memberAt(value, path)), key);
      else if (step === undefined || typeof parent !== 'object' || parent === null) return undefined;
      else if (emptied.has(path.join('.')) && !Array.isArray(parent)) Reflect.deleteProperty(parent, step);
      else {
        // An item of a list keeps its place, so that places of the others stay true.
        const empty =
          step === 'in' || step === 'marbles'
            ? ''
            : step === 'name'
              ? `case ${String(path[1])}`
              : path[0] === 'cases' && path.length === 2
                ? {}
                : '';
        Reflect.set(parent, step, empty);
        emptied.add(path.join('.'));
      }
    }
  }
  return undefined;
}

/** The actions that can be answered. */
const MOCKED = ['publish', 'webhook', 'email', 'log', 'metric'];

const MOST_ROUNDS = 20;

function memberAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (here, step) => (typeof here === 'object' && here !== null ? (Reflect.get(here, step) as unknown) : undefined),
    value,
  );
}
