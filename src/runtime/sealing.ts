import { PenstockError } from '../diagnostics/index.js';

/** An action as it is stored. */
export interface Storable {
  readonly type: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** An action without the values of variables, and the variables that stand in it by name instead. */
export interface Sealed<A extends Storable> {
  readonly action: A;
  readonly names: readonly string[];
}

/** Keeps values of variables out of what is stored: tokens in headers, addresses that are secrets themselves. */
export interface Sealing {
  seal<A extends Storable>(action: A): Sealed<A>;
  /** The action with the values that the variables have now. Throws a `PenstockError` (PS1301) when one of them is not set any more. */
  open<A extends Storable>(sealed: Sealed<A>): A;
}

/** A shorter value is no secret, and may stand anywhere. */
const SHORTEST = 8;
const REFERENCE = /\$\{([A-Za-z_]\w*)\}/g;

/** Seals the address and the headers of webhooks with these variables: name and value. */
export function sealing(variables: Readonly<Record<string, string | undefined>>): Sealing {
  const values = Object.entries(variables)
    .filter((entry): entry is [string, string] => (entry[1]?.length ?? 0) >= SHORTEST)
    .toSorted(([, one], [, other]) => other.length - one.length);
  return {
    seal(action) {
      const names = new Set<string>();
      const hidden = mapped(action, (text) => {
        let out = text;
        for (const [name, value] of values) {
          if (!out.includes(value)) continue;
          names.add(name);
          out = out.replaceAll(value, () => `\${${name}}`);
        }
        return out;
      });
      return names.size === 0 ? { action, names: [] } : { action: hidden, names: [...names] };
    },
    open({ action, names }) {
      if (names.length === 0) return action;
      return mapped(action, (text) =>
        text.replace(REFERENCE, (reference, name: string) => (names.includes(name) ? valueOf(name) : reference)),
      );
    },
  };

  function valueOf(name: string): string {
    const value = variables[name];
    if (value !== undefined) return value;
    throw new PenstockError('PS1301', `the action needs the variable ${name}, which is not set`, { category: 'transient' });
  }
}

/** Changes what leads to a service: address and headers. What is sent there is the event's. */
function mapped<A extends Storable>(action: A, change: (text: string) => string): A {
  if (action.type !== 'http_webhook') return action;
  const { url, headers } = action.params;
  return {
    ...action,
    params: {
      ...action.params,
      ...(typeof url === 'string' ? { url: change(url) } : {}),
      ...(typeof headers === 'object' && headers !== null ? { headers: changedHeaders(headers, change) } : {}),
    },
  };
}

function changedHeaders(headers: object, change: (text: string) => string): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? change(value) : value]));
}
