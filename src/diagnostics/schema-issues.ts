import type { Code } from './codes.js';
import { CODES } from './codes.js';
import type { Diagnostic } from './diagnostic.js';
import { didYouMean, oneOf } from './did-you-mean.js';

/** Keys and indices from the top of a file or value down. */
export type Path = readonly (string | number)[];

/** Lines and columns of something in a file, counted from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly endLine?: number;
  readonly endColumn?: number;
}

/** Finds the place of a value, or of its key; of the nearest thing around it when it is not there. */
export type Locate = (path: Path, part: 'value' | 'key') => Place | undefined;

/** As much of a zod schema as is needed here, so that this room needs no package. */
export interface Schema<T = unknown> {
  safeParse(value: unknown): { success: true; data: T } | { success: false; error: { issues: readonly unknown[] } };
}

export interface FitOptions {
  readonly locate: Locate;
  /** What the whole value is called in sentences. Defaults to the schema's own title. */
  readonly title?: string;
  /** The text that a value was made from, where text was wanted after all (a token of digits from the environment). */
  readonly textOf?: (path: Path) => string | undefined;
}

interface Issue {
  readonly code: string;
  readonly path: (string | number)[];
  readonly message: string;
  readonly expected?: string;
  readonly values?: readonly unknown[];
  readonly keys?: readonly string[];
  readonly errors?: readonly (readonly Issue[])[];
  readonly minimum?: number | bigint;
  readonly maximum?: number | bigint;
  readonly inclusive?: boolean;
  readonly origin?: string;
  readonly format?: string;
  readonly params?: { readonly code?: string; readonly help?: string };
}

/**
 * Checks a value that a user wrote against a schema. Keys that start with `x-` are free, an empty value counts as one that is not there, and of a
 * choice of forms the one is reported that fits best. `value` is undefined when there is an error.
 */
export function fit<T>(
  schema: Schema<T>,
  input: unknown,
  options: FitOptions,
): { readonly value: T | undefined; readonly diagnostics: readonly Diagnostic[] } {
  const value = structuredCopy(input);
  for (;;) {
    const result = schema.safeParse(value);
    if (result.success) return { value: result.data, diagnostics: [] };
    const issues = flatten(result.error.issues as readonly Issue[]);
    let mended = 0;
    for (const issue of issues) if (mend(issue, value, options)) mended++;
    if (mended === 0) return { value: undefined, diagnostics: issues.flatMap((issue) => describe(issue, value, schema, options)) };
  }
}

/** Containers are copied, since mending changes them; everything else is shared. */
function structuredCopy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(structuredCopy);
  if (!isMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, structuredCopy(item)]));
}

function isMap(value: unknown): value is Record<string, unknown> {
  if (value === null || typeof value !== 'object') return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function at(value: unknown, path: Path): unknown {
  let here = value;
  for (const step of path) {
    if (here === null || typeof here !== 'object' || !Object.hasOwn(here, step)) return undefined;
    here = (here as Record<string | number, unknown>)[step];
  }
  return here;
}

/** Issues of the best branch take the place of a choice of which no branch fits. */
function flatten(issues: readonly Issue[], base: Path = []): Issue[] {
  return issues.flatMap((issue) => {
    const path = [...base, ...issue.path];
    if (issue.code !== 'invalid_union' || issue.errors === undefined || issue.errors.length === 0) return [{ ...issue, path }];
    const branches = issue.errors.map((branch) => flatten(branch, path));
    const rejectsWhole = (branch: readonly Issue[]) => branch.some((one) => one.code === 'invalid_type' && one.path.length === path.length);
    const fitting = branches.filter((branch) => !rejectsWhole(branch));
    if (fitting.length === 0) {
      const expected = branches.flatMap((branch) =>
        branch.filter((one) => one.path.length === path.length).map((one) => one.expected ?? ''),
      );
      return [{ code: 'invalid_type', path, message: issue.message, expected: [...new Set(expected)].join('|') }];
    }
    const depth = (branch: readonly Issue[]) => Math.max(...branch.map((one) => one.path.length));
    return fitting.reduce((best, branch) =>
      depth(branch) > depth(best) || (depth(branch) === depth(best) && branch.length < best.length) ? branch : best,
    );
  });
}

/** Changes the value where what stands there is allowed after all; true when it did. */
function mend(issue: Issue, value: unknown, options: FitOptions): boolean {
  if (issue.code === 'unrecognized_keys') {
    const map = at(value, issue.path);
    const free = (issue.keys ?? []).filter((key) => key.startsWith('x-'));
    if (!isMap(map)) return false;
    for (const key of free) delete map[key];
    return free.length > 0;
  }
  if (issue.code !== 'invalid_type' && issue.code !== 'invalid_value') return false;
  const parent = at(value, issue.path.slice(0, -1));
  const key = issue.path[issue.path.length - 1];
  if (key === undefined || parent === null || typeof parent !== 'object') return false;
  const found = at(value, issue.path);
  if (found === null && isMap(parent)) {
    delete parent[key];
    return true;
  }
  const text = typeof found === 'string' ? undefined : options.textOf?.(issue.path);
  if (text === undefined || !(issue.expected ?? 'string').includes('string')) return false;
  (parent as Record<string | number, unknown>)[key] = text;
  return true;
}

const EXPECTED: Readonly<Record<string, string>> = {
  boolean: 'true or false',
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  bigint: 'a whole number',
  array: 'a list',
  object: 'a map',
  record: 'a map',
  map: 'a map',
  null: 'empty',
};

const FORMATS: Readonly<Record<string, string>> = {
  url: 'a URL',
  email: 'an e-mail address',
  uuid: 'a UUID',
  datetime: 'a time',
  date: 'a date',
};

const SECRET_KEY = /token|secret|passw|pwd|credential|api_?-?key|authorization|signature/i;

/** Whether a key's value must not be shown. */
export function isSecretKey(key: string | number | undefined): boolean {
  return typeof key === 'string' && SECRET_KEY.test(key);
}

function found(value: unknown, key: string | number | undefined): string {
  if (value === null) return 'this is empty';
  if (Array.isArray(value)) return 'this is a list';
  if (typeof value === 'object') return 'this is a map';
  if (typeof value === 'string') return isSecretKey(key) ? 'this is a text' : `this is the text ${JSON.stringify(shorten(value))}`;
  return isSecretKey(key) ? `this is a ${typeof value}` : `this is ${String(value)}`;
}

const shorten = (text: string): string => (text.length > 60 ? `${text.slice(0, 57)}…` : text);

function describe(issue: Issue, value: unknown, schema: Schema, { locate, title }: FitOptions): Diagnostic[] {
  const { path } = issue;
  const key = path[path.length - 1];
  const name =
    key === undefined
      ? (title ?? 'this file')
      : typeof key === 'number'
        ? `item ${key + 1}${path.length > 1 ? ` of ${String(path[path.length - 2])}` : ''}`
        : key;
  const here = at(value, path);
  const make = (code: Code, message: string, part: 'value' | 'key', where: Path, help?: string): Diagnostic => {
    const place = locate(where, part);
    return {
      code,
      severity: 'error',
      file: place?.file,
      line: place?.line,
      column: place?.column,
      endLine: place?.endLine,
      endColumn: place?.endColumn,
      message,
      ...(help === undefined ? {} : { help }),
    };
  };
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = knownKeys(schema, path);
      const owner = titleAt(schema, path) ?? (path.length === 0 ? (title ?? 'this file') : name);
      return (issue.keys ?? [])
        .filter((unknown) => !unknown.startsWith('x-'))
        .map((unknown) => {
          const meant = didYouMean(unknown, known);
          const help = meant !== undefined ? `did you mean "${meant}"?` : known.length > 0 ? `keys here: ${known.join(', ')}` : undefined;
          return make('PS1103', `${owner} has no key "${unknown}"`, 'key', [...path, unknown], help);
        });
    }
    case 'invalid_type': {
      if (here === undefined && key !== undefined) {
        const owner = titleAt(schema, path.slice(0, -1)) ?? (path.length > 1 ? String(path[path.length - 2]) : (title ?? 'this file'));
        return [make('PS1101', `${owner} needs the key "${key}"`, 'value', path.slice(0, -1))];
      }
      const wanted = (issue.expected ?? '').split('|').map((one) => EXPECTED[one] ?? one);
      const yes = issue.expected === 'boolean' && typeof here === 'string' && /^(y|yes|on|n|no|off)$/i.test(here);
      const help = yes ? `YAML 1.2 has no yes/no; write ${/^(y|yes|on)$/i.test(String(here)) ? 'true' : 'false'}` : undefined;
      return [make('PS1104', `${name} must be ${oneOf([...new Set(wanted)])}, ${found(here, key)}`, 'value', path, help)];
    }
    case 'invalid_value': {
      const values = (issue.values ?? []).map(String);
      const meant = typeof here === 'string' ? didYouMean(here, values) : undefined;
      return [
        make('PS1102', `${name} must be ${oneOf(values)}`, 'value', path, meant === undefined ? undefined : `did you mean "${meant}"?`),
      ];
    }
    case 'too_small':
    case 'too_big': {
      const small = issue.code === 'too_small';
      const limit = String(small ? issue.minimum : issue.maximum);
      const counted = issue.origin === 'string' ? ' characters' : issue.origin === 'array' || issue.origin === 'set' ? ' items' : '';
      if (small && counted !== '' && limit === '1') return [make('PS1105', `${name} must not be empty`, 'value', path)];
      const bound = issue.inclusive === false ? (small ? 'more than' : 'less than') : small ? 'at least' : 'at most';
      const verb = counted === '' ? 'be' : 'have';
      return [make('PS1105', `${name} must ${verb} ${bound} ${limit}${counted}, ${found(here, key)}`, 'value', path)];
    }
    case 'invalid_format':
      return [make('PS1105', `${name} must be ${FORMATS[issue.format ?? ''] ?? 'of another form'}, ${found(here, key)}`, 'value', path)];
    default: {
      const code = issue.params?.code;
      return [make(isCode(code) ? code : 'PS1105', sentence(issue, name), 'value', path, issue.params?.help)];
    }
  }
}

/** A schema of ours says `must be …`; whose turn it is, is known here. */
function sentence(issue: Issue, name: string): string {
  if (issue.code !== 'custom') return `${name}: ${issue.message.toLowerCase()}`;
  return issue.message.startsWith('must ') ? `${name} ${issue.message}` : issue.message;
}

function isCode(code: string | undefined): code is Code {
  return code !== undefined && Object.hasOwn(CODES, code);
}

interface Definition {
  readonly type: string;
  readonly shape?: Readonly<Record<string, unknown>>;
  readonly innerType?: unknown;
  readonly in?: unknown;
  readonly options?: readonly unknown[];
  readonly element?: unknown;
  readonly items?: readonly unknown[];
  readonly valueType?: unknown;
  readonly getter?: () => unknown;
}

function definition(schema: unknown): Definition | undefined {
  return (schema as { readonly _zod?: { readonly def?: Definition } } | undefined)?._zod?.def;
}

/** The schemas that may stand at a path: wrappers taken off, all forms of a choice. */
function schemasAt(schema: unknown, path: Path): unknown[] {
  const def = definition(schema);
  if (def === undefined) return [];
  if (def.innerType !== undefined) return schemasAt(def.innerType, path);
  if (def.type === 'pipe') return schemasAt(def.in, path);
  if (def.type === 'lazy') return schemasAt(def.getter?.(), path);
  if (def.type === 'union') return (def.options ?? []).flatMap((option) => schemasAt(option, path));
  if (path.length === 0) return [schema];
  const [step, ...rest] = path;
  if (def.type === 'object') return schemasAt(def.shape?.[String(step)], rest);
  if (def.type === 'array') return schemasAt(def.element, rest);
  if (def.type === 'tuple') return schemasAt(def.items?.[Number(step)], rest);
  if (def.type === 'record') return schemasAt(def.valueType, rest);
  return [];
}

function knownKeys(schema: unknown, path: Path): string[] {
  return [...new Set(schemasAt(schema, path).flatMap((found) => Object.keys(definition(found)?.shape ?? {})))];
}

function titleAt(schema: unknown, path: Path): string | undefined {
  for (const found of schemasAt(schema, path)) {
    const title = (found as { meta?(): { readonly title?: string } | undefined }).meta?.()?.title;
    if (title !== undefined) return title;
  }
  return undefined;
}
