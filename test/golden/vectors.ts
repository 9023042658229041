import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fields, type Family, type FamilyContext, type Vector } from './family.js';

/** The vectors of one file and what it defines beside them. */
export interface VectorFile {
  readonly family: string;
  readonly vectors: readonly Vector[];
  readonly context: FamilyContext;
  /** Lines that are no JSON object, counted from 1. */
  readonly unreadable: readonly number[];
}

const here = fileURLToPath(new URL('.', import.meta.url));

/** Corpora have no expected output: they are for round trips and volume. */
export const CORPUS = 'corpus-';

/** The folder under test: the one asked for, else the recorded vectors of this repository. */
export function vectorFolder(): string {
  return process.env['PENSTOCK_GOLDEN_DIR'] ?? join(here, 'vectors');
}

export function readVectors(folder: string): readonly VectorFile[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ndjson'))
    .toSorted()
    .map((name) => readFile(join(folder, name), name.slice(0, -'.ndjson'.length)));
}

function readFile(path: string, family: string): VectorFile {
  const vectors: Vector[] = [];
  const unreadable: number[] = [];
  const defined = new Map<string, Readonly<Record<string, unknown>>>();
  readFileSync(path, 'utf8')
    .split('\n')
    .forEach((line, index) => {
      if (line.trim() === '') return;
      const vector = parsed(line);
      if (vector === undefined) {
        unreadable.push(index + 1);
        return;
      }
      const input = fields(vector.in);
      const name = input['define_base'] ?? ('define_context' in input ? String(input['context_id']) : undefined);
      if (typeof name === 'string') defined.set(name, input);
      else vectors.push(vector);
    });
  return { family, vectors, context: { defined }, unreadable };
}

function parsed(line: string): Vector | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Vector) : undefined;
  } catch {
    return undefined; // the caller counts the line as unreadable
  }
}

/** Every family that this repository checks, by name. */
export async function readFamilies(): Promise<ReadonlyMap<string, Family>> {
  const names = readdirSync(join(here, 'families')).filter((name) => name.endsWith('.ts'));
  const families = await Promise.all(
    names.map(async (name) => ((await import(`./families/${name.slice(0, -3)}.ts`)) as { readonly family: Family }).family),
  );
  return new Map(families.map((family) => [family.name, family]));
}
