type Version = readonly [number, number, number];

/** Whether a version satisfies a range: `any`, `*`, `1`, `1.2`, `1.2.3`, `^1.2`, `~1.2`, `>=1.2`, several of them by spaces or `||`. Undefined when the range cannot be read. */
export function satisfies(version: string, range: string): boolean | undefined {
  const wanted = parse(version);
  if (wanted === undefined) return undefined;
  const answers = range.split('||').map((part) => allHold(wanted, part.trim()));
  return answers.includes(undefined) ? undefined : answers.includes(true);
}

function allHold(version: Version, part: string): boolean | undefined {
  if (part === '' || part === '*' || part === 'any') return true;
  const answers = part
    .replace(/([<>=^~]+)\s+/g, '$1')
    .split(/\s+/)
    .map((comparator) => holds(version, comparator));
  return answers.includes(undefined) ? undefined : !answers.includes(false);
}

function holds(version: Version, comparator: string): boolean | undefined {
  const match = /^(\^|~|>=|<=|>|<|=)?v?(\d+)(?:\.(\d+|x|\*))?(?:\.(\d+|x|\*))?(?:[-+].*)?$/.exec(comparator);
  if (match === null) return undefined;
  const [, operator = '', major, minor, patch] = match;
  const given = [major, minor, patch].filter((part) => part !== undefined && /^\d+$/.test(part)).length;
  const low: Version = [number(major), number(minor), number(patch)];
  switch (operator) {
    case '>=':
      return compare(version, low) >= 0;
    case '>':
      return compare(version, given < 3 ? after(low, given) : low) >= (given < 3 ? 0 : 1);
    case '<':
      return compare(version, low) < 0;
    case '<=':
      return given < 3 ? compare(version, after(low, given)) < 0 : compare(version, low) <= 0;
    case '^': {
      const fixed = low[0] > 0 || given === 1 ? 1 : low[1] > 0 || given === 2 ? 2 : 3;
      return compare(version, low) >= 0 && compare(version, after(low, fixed)) < 0;
    }
    case '~':
      return compare(version, low) >= 0 && compare(version, after(low, given === 1 ? 1 : 2)) < 0;
    default:
      return given === 3 ? compare(version, low) === 0 : compare(version, low) >= 0 && compare(version, after(low, given)) < 0;
  }
}

function parse(text: string): Version | undefined {
  const match = /^v?(\d+)\.(\d+)\.(\d+)/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3])];
}

function number(text: string | undefined): number {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : 0;
}

/** The first version that differs in one of the first `parts` numbers. */
function after([major, minor, patch]: Version, parts: number): Version {
  if (parts === 1) return [major + 1, 0, 0];
  return parts === 2 ? [major, minor + 1, 0] : [major, minor, patch + 1];
}

function compare(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}
