import { isDeepStrictEqual, inspect } from 'node:util';

/** Which value each letter of a drawing stands for; a letter that is not listed stands for itself. */
export class Alphabet {
  private readonly values: Readonly<Record<string, unknown>>;
  private readonly letters: readonly string[];
  private readonly strangers: unknown[] = [];

  constructor(values: Readonly<Record<string, unknown>>, drawn: Iterable<string>) {
    this.values = values;
    this.letters = [...new Set([...Object.keys(values), ...drawn])];
  }

  has(letter: string): boolean {
    return Object.hasOwn(this.values, letter);
  }

  valueOf(letter: string): unknown {
    return this.has(letter) ? this.values[letter] : letter;
  }

  means(letter: string, value: unknown): boolean {
    const meant = this.valueOf(letter);
    return Object.is(meant, value) || isDeepStrictEqual(meant, value);
  }

  /** The letter to draw for a value; values without one are numbered and explained by `legend`. */
  letterOf(value: unknown): string {
    const letter = this.letters.find((known) => this.means(known, value));
    if (letter !== undefined) return letter;
    const known = this.strangers.findIndex((stranger) => isDeepStrictEqual(stranger, value));
    const at = known >= 0 ? known : this.strangers.push(value) - 1;
    return STRANGERS[at % STRANGERS.length]!;
  }

  /** A line for each value that had no letter. */
  legend(): readonly string[] {
    return this.strangers.map(
      (value, at) => `${STRANGERS[at % STRANGERS.length]!} is ${inspect(value, { depth: 4, breakLength: 120, maxStringLength: 200 })}`,
    );
  }
}

/** Signs that no drawing uses. */
const STRANGERS = ['?', '¿', '‽', '※', '§', '¶', '†', '‡'] as const;
