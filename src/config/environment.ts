/** Variables by name, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A reference that could not be served; offsets count in the text that was expanded. */
export interface Unresolved {
  /** Undefined when it is no reference that can be read (`${A:x}`, `${}`). */
  readonly name: string | undefined;
  readonly start: number;
  readonly end: number;
}

export interface Expanded {
  readonly text: string;
  readonly unresolved: readonly Unresolved[];
  /** Every variable that was asked for; `fallback` when its default stood in. */
  readonly used: readonly { readonly name: string; readonly fallback: boolean }[];
}

/**
 * Replaces `${NAME}` and `${NAME:-default}` in a text. The default stands in for a variable that is unset or empty, as in the shell, and may itself
 * hold references. What a variable holds is never expanded again. What cannot be served stays as it is written and is reported.
 */
export function expandText(text: string, env: Environment): Expanded {
  const unresolved: Unresolved[] = [];
  const used: { name: string; fallback: boolean }[] = [];
  const expand = (start: number, end: number): string => {
    let out = '';
    let at = start;
    for (;;) {
      const open = text.indexOf('${', at);
      if (open < 0 || open >= end) return out + text.slice(at, end);
      out += text.slice(at, open);
      const close = closing(text, open, end);
      const name = /^[A-Za-z_]\w*/.exec(text.slice(open + 2, close))?.[0];
      const after = open + 2 + (name?.length ?? 0);
      if (close === end || name === undefined || (after !== close && text.slice(after, after + 2) !== ':-')) {
        at = Math.min(close + 1, end);
        unresolved.push({ name: undefined, start: open, end: at });
        out += text.slice(open, at);
        continue;
      }
      const value = env[name] ?? '';
      at = close + 1;
      if (after !== close && value === '') {
        used.push({ name, fallback: true });
        out += expand(after + 2, close);
      } else if (env[name] === undefined) {
        unresolved.push({ name, start: open, end: at });
        out += text.slice(open, at);
      } else {
        used.push({ name, fallback: false });
        out += value;
      }
    }
  };
  return { text: expand(0, text.length), unresolved, used };
}

/** Where the brace that closes the reference at `open` stands; `end` when none does. */
function closing(text: string, open: number, end: number): number {
  let depth = 0;
  for (let at = open; at < end; at++) {
    if (text.startsWith('${', at)) depth++;
    else if (text[at] === '}' && --depth === 0) return at;
  }
  return end;
}

/** Whether a text is one reference and nothing else. */
export function isOnlyReference(text: string): boolean {
  return text.startsWith('${') && closing(text, 0, text.length) === text.length - 1;
}

/** What a plain scalar with this text is by YAML's core schema: empty, true or false, a number, or the text itself. */
export function retype(text: string): unknown {
  if (/^(?:~|null|Null|NULL)?$/.test(text)) return null;
  if (/^(?:true|True|TRUE)$/.test(text)) return true;
  if (/^(?:false|False|FALSE)$/.test(text)) return false;
  if (/^[-+]?\d+$/.test(text)) return Number.isSafeInteger(Number(text)) ? Number(text) : text;
  if (/^[-+]?(?:\.\d+|\d+\.\d*)(?:[eE][-+]?\d+)?$|^[-+]?\d+[eE][-+]?\d+$/.test(text)) return Number(text);
  if (/^0x[\da-fA-F]+$|^0o[0-7]+$/.test(text)) return Number(text);
  return text;
}
