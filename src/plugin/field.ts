import type { Context } from './context.js';

/** Reads one field of a context. What is missing, null or out of range reads as null; never throws. */
export type ReadField = (context: Context) => unknown;

const INDEXED = /^([\p{L}\p{N}_]+)\[(\d+)\]$/u;

/** The names that a path may start with. */
export const FIELD_ROOTS = [
  'message',
  'data',
  'headers',
  'event_id',
  'event_type',
  'project_id',
  'domain',
  'stage',
  'worker',
  'timestamp',
  'retry_count',
  'error',
] as const;

type Root = (typeof FIELD_ROOTS)[number];
const NAVIGABLE: ReadonlySet<string> = new Set<Root>(['message', 'data', 'error']);

/** The first name of a path, when a context has it. */
export function rootOf(path: string): Root | undefined {
  const end = path.indexOf('.');
  const root = end === -1 ? path : path.slice(0, end);
  return FIELD_ROOTS.find((name) => name === root);
}

/**
 * A path as a function. `message`, `data` and `error` are walked: `name[1]` takes an item of a list (one index only), any other segment is a key.
 * After `headers.` the rest is one header's name, dots and all. The other roots ignore what follows. Only a value's own members are reachable.
 */
export function readerOf(path: string): ReadField {
  const root = rootOf(path);
  if (root === undefined) return () => null;
  const rest = path.length > root.length ? path.slice(root.length + 1) : undefined;
  if (root === 'headers') {
    return rest === undefined ? (context) => context.headers : (context) => member(context.headers, rest);
  }
  if (!NAVIGABLE.has(root) || rest === undefined) return (context) => context[root] ?? null;
  const steps = rest.split('.').map(stepOf);
  if (steps.length === 1) {
    const only = steps[0]!;
    return (context) => only(context[root]);
  }
  return (context) => {
    let value: unknown = context[root];
    for (const step of steps) {
      if (value === null || value === undefined) return null;
      value = step(value);
    }
    return value ?? null;
  };
}

function stepOf(segment: string): (value: unknown) => unknown {
  const indexed = INDEXED.exec(segment);
  if (indexed === null) return (value) => member(value, segment);
  const [, name, digits] = indexed;
  const index = Number(digits);
  return (value) => {
    const items = member(value, name!);
    return Array.isArray(items) ? ((items[index] as unknown) ?? null) : null;
  };
}

/** An own member that is data: keys of lists, and what a language adds to values, are out of reach. */
function member(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, key)) return null;
  const found = (value as Record<string, unknown>)[key];
  return typeof found === 'function' ? null : (found ?? null);
}
