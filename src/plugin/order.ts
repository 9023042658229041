/** Something that has its place among others. */
export interface Ordered {
  readonly name: string;
  readonly priority: number;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** Why an order cannot be kept. */
export interface OrderFault {
  readonly name: string;
  readonly key: 'before' | 'after';
  readonly message: string;
  readonly help?: string;
}

/**
 * Sorts by priority, lower first; among equals what says `before` or `after` is heard, then the order given stands. A wish against the
 * priorities, and a circle, is a fault; the rest is sorted without it.
 */
export function inOrder<T extends Ordered>(items: readonly T[], report: (fault: OrderFault) => void): readonly T[] {
  const byName = new Map(items.map((item) => [item.name, item]));
  const followers = new Map<T, Set<T>>(items.map((item) => [item, new Set()]));
  const wish = (first: T, second: T, of: T, key: 'before' | 'after'): void => {
    const other = first === of ? second : first;
    if (first.priority > second.priority) {
      report({
        name: of.name,
        key,
        message: `${of.name} wants to run ${key} ${other.name}, but its priority is ${of.priority} and that of ${other.name} is ${other.priority}`,
        help: `give ${of.name} a priority of ${key === 'before' ? 'at most' : 'at least'} ${other.priority}`,
      });
    } else if (first.priority === second.priority) followers.get(first)!.add(second);
  };
  for (const item of items) {
    for (const name of item.before) {
      const other = byName.get(name);
      if (other !== undefined) wish(item, other, item, 'before');
    }
    for (const name of item.after) {
      const other = byName.get(name);
      if (other !== undefined) wish(other, item, item, 'after');
    }
  }
  return sorted(items, followers, report);
}

function sorted<T extends Ordered>(
  items: readonly T[],
  followers: ReadonlyMap<T, Set<T>>,
  report: (fault: OrderFault) => void,
): readonly T[] {
  const waiting = new Map(items.map((item) => [item, 0]));
  for (const set of followers.values()) for (const follower of set) waiting.set(follower, waiting.get(follower)! + 1);
  const left = items.toSorted((a, b) => a.priority - b.priority);
  const result: T[] = [];
  while (left.length > 0) {
    let next = left.findIndex((item) => waiting.get(item)! <= 0 && item.priority === left[0]!.priority);
    if (next === -1) {
      const circle = left.filter((item) => item.priority === left[0]!.priority && waiting.get(item)! > 0);
      report({
        name: circle[0]!.name,
        key: circle[0]!.after.length > 0 ? 'after' : 'before',
        message: `${circle.map((item) => item.name).join(', ')} wait for one another`,
        help: 'take one before or after away',
      });
      for (const item of circle) waiting.set(item, 0);
      next = 0;
    }
    const [item] = left.splice(next, 1);
    result.push(item!);
    for (const follower of followers.get(item!)!) waiting.set(follower, waiting.get(follower)! - 1);
  }
  return result;
}
