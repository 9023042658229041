import { RE2JS } from 're2js';

/** A compiled pattern of linear-time syntax. */
export interface Pattern {
  /** Whether it matches anywhere in the text. */
  find(text: string): boolean;
  /** Whether it matches at the start of the text. */
  atStart(text: string): boolean;
}

/** Why a pattern cannot be used. */
export interface PatternFault {
  readonly fault: string;
}

const LOOK_AROUND = /\(\?(?:[=!]|<[=!])/;
const BACK_REFERENCE = /\\[1-9]|\(\?P=/;

/** Compiles a pattern, or says in a sentence why it cannot: look-around and back references take more than linear time. */
export function compilePattern(source: string): Pattern | PatternFault {
  try {
    const anywhere = RE2JS.compile(source);
    const anchored = RE2JS.compile(`\\A(?:${source})`);
    return { find: (text) => anywhere.test(text), atStart: (text) => anchored.test(text) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    if (LOOK_AROUND.test(source)) return { fault: `the pattern "${source}" uses look-around, which linear-time matching does not have` };
    if (BACK_REFERENCE.test(source))
      return { fault: `the pattern "${source}" uses a back reference, which linear-time matching does not have` };
    return { fault: `the pattern "${source}" cannot be read: ${why}` };
  }
}

export function isFault(pattern: Pattern | PatternFault): pattern is PatternFault {
  return 'fault' in pattern;
}
