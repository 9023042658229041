import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { finding } from '../../config/findings.js';
import type { YamlFile } from '../../config/yaml-file.js';
import { type Diagnostic, didYouMean, type Path } from '../../diagnostics/index.js';
import { isFields, merged } from './merge.js';
import type { SpecContext, SpecMessage } from './spec.js';
import type { WrittenMessage } from './spec-schema.js';

type Fields = Readonly<Record<string, unknown>>;

const WORDS = ['$like', '$file', '$context', '$stage', '$of'];

/** Symbols of lanes: nothing of them can be a letter. */
const SYMBOLS = /^[-|#^!() ]$/;

interface Reading {
  readonly yaml: YamlFile;
  /** The folder that `$file` starts from, after it the working directory. */
  readonly folder: string;
  readonly cwd: string;
  readonly read: (path: string) => void;
  readonly report: (diagnostic: Diagnostic) => void;
}

/** Reads a map of messages; letters of `before` may be named by `$like`, and stay where they are not said again. */
export function readMessages(
  written: Readonly<Record<string, WrittenMessage>>,
  base: Path,
  before: ReadonlyMap<string, SpecMessage>,
  reading: Reading,
): ReadonlyMap<string, SpecMessage> {
  const reader = new MessageReader(written, base, before, reading);
  const messages = new Map(before);
  for (const letter of Object.keys(written)) {
    const message = reader.message(letter);
    if (message !== undefined) messages.set(letter, message);
  }
  return messages;
}

/** For a message that is wrong: its letter is known all the same. */
function standIn(letter: string, path: Path): SpecMessage {
  return { letter, path, fields: {}, whole: false, stage: undefined, of: undefined, context: {} };
}

class MessageReader {
  private readonly done = new Map<string, SpecMessage | undefined>();
  private readonly open: string[] = [];

  constructor(
    private readonly written: Readonly<Record<string, WrittenMessage>>,
    private readonly base: Path,
    private readonly before: ReadonlyMap<string, SpecMessage>,
    private readonly reading: Reading,
  ) {}

  message(letter: string): SpecMessage | undefined {
    if (!Object.hasOwn(this.written, letter)) return this.before.get(letter);
    if (!this.done.has(letter)) {
      this.open.push(letter);
      this.done.set(letter, this.make(letter, this.written[letter]!));
      this.open.pop();
    }
    return this.done.get(letter);
  }

  private make(letter: string, written: WrittenMessage): SpecMessage | undefined {
    const path = [...this.base, letter];
    if (Array.from(letter).length !== 1 || SYMBOLS.test(letter)) {
      this.report(path, 'key', `a letter is one sign and none of - | # ^ ! ( ), this is "${letter}"`, 'choose another letter');
      return undefined;
    }
    const stray = Object.keys(written).find((key) => key.startsWith('$') && !WORDS.includes(key));
    if (stray !== undefined) {
      const near = didYouMean(stray, WORDS);
      this.report(
        [...path, stray],
        'key',
        `a message has no "${stray}"`,
        near === undefined ? `there are ${WORDS.join(', ')}` : `did you mean "${near}"?`,
      );
      return standIn(letter, path);
    }
    const like = this.like(written.$like, path);
    const file = this.file(written.$file, path);
    if (like === null || file === null) return standIn(letter, path);
    const own = Object.fromEntries(Object.entries(written).filter(([key]) => !key.startsWith('$')));
    const context = written.$context ?? {};
    return {
      letter,
      path,
      fields: merged(merged(like?.fields ?? {}, file ?? {}), own) as Fields,
      whole: file !== undefined || like?.whole === true,
      stage: written.$stage ?? like?.stage,
      of: written.$of ?? like?.of,
      context: merged(like?.context ?? {}, context) as SpecContext,
    };
  }

  /** The message that this one is like; null when there is none of the name. */
  private like(letter: string | number | undefined, path: Path): SpecMessage | undefined | null {
    if (letter === undefined) return undefined;
    const at = [...path, '$like'];
    const name = String(letter);
    if (this.open.includes(name)) {
      this.report(at, 'value', `"${name}" is like itself`, 'let one of them say its fields');
      return null;
    }
    const known = [...new Set([...this.before.keys(), ...Object.keys(this.written)])];
    if (!known.includes(name)) {
      this.report(at, 'value', `there is no message "${name}"`, `there are ${known.join(', ')}`, 'PS5022');
      return null;
    }
    return this.message(name) ?? null;
  }

  /** The message in a file; null when it cannot be read. */
  private file(name: string | undefined, path: Path): Fields | undefined | null {
    if (name === undefined) return undefined;
    const at = [...path, '$file'];
    const { folder, cwd, read } = this.reading;
    const looked = [...new Set([resolve(folder, name), resolve(cwd, name), resolve(dirname(folder), name)])];
    for (const file of looked) {
      let text: string;
      try {
        text = readFileSync(file, 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
        this.report(at, 'value', `${name} cannot be read: ${(error as Error).message}`, undefined, 'PS1002');
        return null;
      }
      read(file);
      try {
        const value = JSON.parse(text) as unknown;
        if (isFields(value)) return value;
        this.report(at, 'value', `${name} is JSON but not one object`, undefined, 'PS1002');
      } catch (error) {
        this.report(at, 'value', `${name} is not JSON: ${(error as Error).message}`, undefined, 'PS1002');
      }
      return null;
    }
    this.report(at, 'value', `${name} cannot be read: there is no such file`, `it was looked for at ${looked.join(', ')}`, 'PS1002');
    return null;
  }

  private report(path: Path, part: 'key' | 'value', message: string, help?: string, code: 'PS5001' | 'PS5022' | 'PS1002' = 'PS5001'): void {
    this.reading.report(finding(code, 'error', this.reading.yaml.place(path, part), message, help));
  }
}
