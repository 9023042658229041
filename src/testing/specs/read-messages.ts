import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { finding } from '../../config/findings.js';
import type { YamlFile } from '../../config/yaml-file.js';
import { type Diagnostic, didYouMean, fit, type Path } from '../../diagnostics/index.js';
import { isFields, merged } from './merge.js';
import type { SpecContext, SpecMessage } from './spec.js';

type Fields = Readonly<Record<string, unknown>>;

const contextSchema: z.ZodType<unknown> = z
  .strictObject({
    data: z.record(z.string(), z.unknown()).optional().describe('What the stage knows beside the message.'),
    headers: z.record(z.string(), z.string()).optional().describe("The record's headers."),
    error: z.unknown().optional().describe('What went wrong, at stages that observe failures.'),
    retry_count: z.int().min(0).optional().describe('How often it was retried.'),
    event_id: z.string().optional(),
    event_type: z.string().nullable().optional(),
    project_id: z.string().nullable().optional(),
    worker: z.string().optional(),
  })
  .meta({ title: '$context' });

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
  written: Readonly<Record<string, Fields>>,
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
    private readonly written: Readonly<Record<string, Fields>>,
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

  private make(letter: string, written: Fields): SpecMessage | undefined {
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
    const like = this.like(written['$like'], path);
    const file = this.file(written['$file'], path);
    if (like === null || file === null) return standIn(letter, path);
    const own = Object.fromEntries(Object.entries(written).filter(([key]) => !key.startsWith('$')));
    const context = this.context(written['$context'], path);
    return {
      letter,
      path,
      fields: merged(merged(like?.fields ?? {}, file ?? {}), own) as Fields,
      whole: file !== undefined || like?.whole === true,
      stage: this.word(written, '$stage', path) ?? like?.stage,
      of: this.word(written, '$of', path) ?? like?.of,
      context: merged(like?.context ?? {}, context) as SpecContext,
    };
  }

  private word(written: Fields, key: string, path: Path): string | undefined {
    const value = written[key];
    if (value === undefined || typeof value === 'string') return value;
    this.report([...path, key], 'value', `${key} must be the name of a stage`);
    return undefined;
  }

  /** The message that this one is like; null when there is none of the name. */
  private like(letter: unknown, path: Path): SpecMessage | undefined | null {
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
  private file(name: unknown, path: Path): Fields | undefined | null {
    if (name === undefined) return undefined;
    const at = [...path, '$file'];
    if (typeof name !== 'string') {
      this.report(at, 'value', '$file must be the path of a file of JSON');
      return null;
    }
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

  private context(written: unknown, path: Path): SpecContext {
    if (written === undefined || written === null) return {};
    const { value, diagnostics } = fit(contextSchema, written, {
      locate: (where, part) => this.reading.yaml.place([...path, '$context', ...where], part),
      title: '$context',
    });
    for (const diagnostic of diagnostics) this.reading.report(diagnostic);
    return (value ?? {}) as SpecContext;
  }

  private report(path: Path, part: 'key' | 'value', message: string, help?: string, code: 'PS5001' | 'PS5022' | 'PS1002' = 'PS5001'): void {
    this.reading.report(finding(code, 'error', this.reading.yaml.place(path, part), message, help));
  }
}
