/** One recorded case: what went in, what came out, and what is wanted where the recording shows a defect. */
export interface Vector {
  readonly id: string;
  readonly in: unknown;
  readonly out: unknown;
  readonly defect?: string;
  readonly want?: unknown;
  readonly note?: string;
  /** Information only: no test. */
  readonly incidental?: boolean;
}

/** What else the file of a vector says. */
export interface FamilyContext {
  /** Bases and contexts that lines of this file define, by name; each is the line's whole `in`. */
  readonly defined: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
}

/** The check of all vectors of one file; the name is the file's, without `.ndjson`. */
export interface Family {
  readonly name: string;
  /** Why a vector is not checked here; none when it is. */
  skip?(vector: Vector): string | undefined;
  /** Throws (an assertion of vitest, or any error) when the vector does not hold. */
  check(vector: Vector, context: FamilyContext): void | Promise<void>;
}

/** The result to hold: what is wanted where the recording is a defect, else what was recorded. */
export function wanted(vector: Vector): unknown {
  return vector.want ?? vector.out;
}

type Fields = Readonly<Record<string, unknown>>;

/** A vector's member as an object; an empty one when it is none. */
export function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

/** A vector's member as a list; an empty one when it is none. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
