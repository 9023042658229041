/** A number with more digits than JavaScript keeps: it stands for the text that it has in its message. */
export class ExactNumber {
  constructor(readonly text: string) {}

  toJSON(): string {
    return `${MARK}${this.text}`;
  }
}

/** No JSON text holds it but by an escape. */
const MARK = '\u0000#';
const ESCAPED_MARK = '\\u0000#';
const MARKED = /"\\u0000#([^"]*)"/g;

const MANY_DIGITS = /\d{16}|\d\.\d{15}|\d{8}\.\d{8}/;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;

/** Whether a JSON text may hold numbers that JavaScript would round. */
export function mayBeInexact(text: string): boolean {
  return MANY_DIGITS.test(text);
}

/** Parses JSON as `JSON.parse` does; a number that JavaScript would round is an `ExactNumber`. */
export function parseExactly(text: string): unknown {
  if (!mayBeInexact(text) || text.includes(ESCAPED_MARK)) return JSON.parse(text) as unknown;
  return JSON.parse(withMarks(text), (_name, value: unknown) =>
    typeof value === 'string' && value.startsWith(MARK) ? new ExactNumber(value.slice(MARK.length)) : value,
  ) as unknown;
}

/** The JSON text of a value, its exact numbers as they were. */
export function stringifyExactly(value: unknown): string {
  return JSON.stringify(value).replace(MARKED, '$1');
}

/** The text with its long numbers as marked texts. */
function withMarks(text: string): string {
  let marked = '';
  let copied = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]!;
    if (character === '"') at = endOfText(text, at);
    else if (character === '-' || (character >= '0' && character <= '9')) {
      NUMBER.lastIndex = at;
      const token = NUMBER.exec(text)?.[0] ?? character;
      if (mayBeInexact(token) && String(Number(token)) !== token) {
        marked += `${text.slice(copied, at)}"${ESCAPED_MARK}${token}"`;
        copied = at + token.length;
      }
      at += token.length - 1;
    }
  }
  return marked + text.slice(copied);
}

/** Where the closing quote stands. */
function endOfText(text: string, quote: number): number {
  for (let end = text.indexOf('"', quote + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text[end - 1 - backslashes] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}
