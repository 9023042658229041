import { isAlias, isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node, type Pair } from 'yaml';
import type { Code, Diagnostic, Path, Place } from '../diagnostics/index.js';
import { type Environment, expandText, isOnlyReference, retype } from './environment.js';
import { syntaxDiagnostics } from './yaml-syntax.js';

/** A reference to a variable that is not set, and where it stands. */
export interface MissingVariable {
  /** Undefined when the reference itself cannot be read. */
  readonly name: string | undefined;
  /** The reference as written. */
  readonly reference: string;
  readonly path: Path;
  readonly place: Place;
}

/** A value with its variables filled in. */
export interface Reading {
  readonly value: unknown;
  readonly missing: readonly MissingVariable[];
  readonly used: readonly { readonly name: string; readonly fallback: boolean }[];
  /** The text that a value was made from, where the environment gave it. */
  textOf(path: Path): string | undefined;
}

/** A stretch of the text, and the form of what is written there. */
export interface Written {
  readonly start: number;
  readonly end: number;
  readonly form: 'plain' | 'single' | 'double' | 'flow_map' | 'block_map' | 'other';
}

const MOST_NODES = 200_000;

/** A YAML file, with the place of everything in it. Anchors work, custom tags do not; a file holds one document. */
export class YamlFile {
  /** What stops the file from being used; nothing else of it is worth reading then. */
  readonly diagnostics: readonly Diagnostic[];
  private readonly document: Document.Parsed;
  private readonly lines = new LineCounter();

  constructor(
    /** The text as it lies there. */
    readonly text: string,
    /** The name that findings carry. */
    readonly file: string,
  ) {
    this.document = parseDocument(text, { lineCounter: this.lines, prettyErrors: false, keepSourceTokens: false, uniqueKeys: true });
    const found = syntaxDiagnostics(this.document, text, file, this.lines);
    this.diagnostics = found.length > 0 ? found : this.unreadable();
  }

  get empty(): boolean {
    const { contents } = this.document;
    return contents === null || (isScalar(contents) && contents.value === null);
  }

  /** The value at a path, with the variables of its scalars filled in from the environment. */
  read(env: Environment, path: Path = []): Reading {
    const missing: MissingVariable[] = [];
    const used: { name: string; fallback: boolean }[] = [];
    const texts = new Map<string, string>();
    const read = (node: unknown, here: Path): unknown => {
      if (isAlias(node)) return read(node.resolve(this.document), here);
      if (isSeq(node)) return node.items.map((item, index) => read(item, [...here, index]));
      if (isMap(node)) {
        const map: Record<string, unknown> = {};
        for (const pair of node.items) {
          const key = keyText(pair);
          Object.defineProperty(map, key, {
            value: read(pair.value, [...here, key]),
            enumerable: true,
            writable: true,
            configurable: true,
          });
        }
        return map;
      }
      if (!isScalar(node)) return null;
      if (typeof node.value !== 'string' || !node.value.includes('${'))
        return typeof node.value === 'bigint' ? Number(node.value) : node.value;
      const expanded = expandText(node.value, env);
      used.push(...expanded.used);
      for (const { name, start, end } of expanded.unresolved) {
        const reference = node.value.slice(start, end);
        missing.push({ name, reference, path: here, place: this.referencePlace(node, reference, node.value.slice(0, start)) });
      }
      if (node.type !== 'PLAIN' || expanded.unresolved.length > 0 || !isOnlyReference(node.value)) return expanded.text;
      texts.set(JSON.stringify(here), expanded.text);
      return retype(expanded.text);
    };
    const value = read(this.find(path)?.value, path);
    return { value, missing, used, textOf: (of) => texts.get(JSON.stringify([...path, ...of])) };
  }

  /** The place of a value or a key; of what stands around it when it is not there. */
  place(path: Path, part: 'value' | 'key' = 'value'): Place {
    for (let length = path.length; length >= 0; length--) {
      const found = this.find(path.slice(0, length));
      if (found === undefined) continue;
      const wanted =
        part === 'key' && length === path.length ? (found.key ?? found.value) : hasRange(found.value) ? found.value : found.key;
      if (hasRange(wanted)) return this.span(wanted);
    }
    return { file: this.file, line: 1, column: 1 };
  }

  /** The place of a character of the text at a path; of the whole value where escapes or folding move characters about. */
  placeInside(path: Path, offset: number): Place {
    const node = this.resolved(this.find(path)?.value);
    if (!isScalar(node) || !hasRange(node) || typeof node.value !== 'string') return this.place(path);
    const start = node.range[0] + (node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE' ? 1 : 0);
    if (this.text.slice(start, start + node.value.length) !== node.value) return this.place(path);
    return this.between(start + offset, Math.max(start + offset + 1, start + node.value.length));
  }

  /** The characters that a value takes, and how it is written; undefined when nothing stands there. For whoever changes a part of the text alone. */
  written(path: Path): Written | undefined {
    const value = this.find(path)?.value;
    if (!hasRange(value) || isAlias(value)) return undefined;
    const [start, end] = value.range;
    // What has an anchor may stand elsewhere as well: to write there is to write in both places.
    if ((isMap(value) || isScalar(value)) && value.anchor !== undefined) return { start, end, form: 'other' };
    if (isMap(value)) return { start, end, form: value.flow === true ? 'flow_map' : 'block_map' };
    if (!isScalar(value)) return { start, end, form: 'other' };
    const forms: Readonly<Record<string, Written['form']>> = { PLAIN: 'plain', QUOTE_SINGLE: 'single', QUOTE_DOUBLE: 'double' };
    return { start, end, form: forms[value.type ?? ''] ?? 'other' };
  }

  /** Whether something stands at a path, be it empty. */
  has(path: Path): boolean {
    return this.find(path) !== undefined;
  }

  /** The keys of the map at a path, in their order; none where no map stands. */
  keys(path: Path = []): readonly string[] {
    const node = this.resolved(this.find(path)?.value);
    return isMap(node) ? node.items.map(keyText) : [];
  }

  private find(path: Path): { readonly key: unknown; readonly value: unknown } | undefined {
    let key: unknown;
    let value: unknown = this.document.contents;
    for (const step of path) {
      const node = this.resolved(value);
      if (isSeq(node) && typeof step === 'number' && step < node.items.length) {
        key = undefined;
        value = node.items[step];
      } else if (isMap(node)) {
        const pair = node.items.find((item) => keyText(item) === String(step));
        if (pair === undefined) return undefined;
        key = pair.key;
        value = pair.value;
      } else return undefined;
    }
    return { key, value };
  }

  private resolved(value: unknown): unknown {
    return isAlias(value) ? value.resolve(this.document) : value;
  }

  private span(node: { readonly range: readonly [number, number, number] }): Place {
    return this.between(node.range[0], Math.max(node.range[0] + 1, node.range[1]));
  }

  private between(start: number, end: number): Place {
    const from = this.lines.linePos(start);
    const to = this.lines.linePos(end);
    return { file: this.file, line: from.line, column: from.col, endLine: to.line, endColumn: to.col };
  }

  /** A reference's own place inside its scalar: counted among equal ones, since escapes move offsets. */
  private referencePlace(node: Node, reference: string, before: string): Place {
    if (!hasRange(node)) return { file: this.file, line: 1, column: 1 };
    let earlier = before.split(reference).length - 1;
    const [start, end] = node.range;
    let at = this.text.indexOf(reference, start);
    while (earlier-- > 0 && at >= 0) at = this.text.indexOf(reference, at + reference.length);
    return at < 0 || at >= end ? this.span(node) : this.between(at, at + reference.length);
  }

  /** What the parser lets pass and nobody could use: keys that are no text, anchors that do not exist, files that unfold without end. */
  private unreadable(): Diagnostic[] {
    const found: Diagnostic[] = [];
    const open = new Set<unknown>();
    let nodes = 0;
    const report = (node: unknown, message: string, help: string, code: Code = 'PS1001'): void => {
      const place = hasRange(node) ? this.span(node) : { line: 1, column: 1 };
      found.push({ code, severity: 'error', message, help, ...place, file: this.file });
    };
    const visit = (value: unknown): void => {
      if (++nodes > MOST_NODES) return;
      if (isAlias(value)) {
        const target = value.resolve(this.document);
        if (target === undefined)
          report(value, `no anchor is called "${value.source}"`, `write &${value.source} before the value that is meant`);
        else if (open.has(target)) report(value, `the anchor "${value.source}" contains itself`, 'write the value out');
        else visit(target);
      } else if (isSeq(value) || isMap(value)) {
        open.add(value);
        for (const item of value.items) {
          if (!isPair(item)) visit(item);
          else if (isScalar(item.key) && item.key.value !== null) visit(item.value);
          else report(item.key, 'a key must be text', 'write one word before the colon, in quotes if need be', 'PS1104');
        }
        open.delete(value);
      }
    };
    visit(this.document.contents);
    if (nodes > MOST_NODES)
      report(this.document.contents, `the file has more than ${MOST_NODES} values, anchors unfolded`, 'split it, or use fewer anchors');
    return found;
  }
}

function keyText(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
}

function hasRange(node: unknown): node is { readonly range: [number, number, number] } {
  return node !== null && typeof node === 'object' && 'range' in node && Array.isArray(node.range);
}
