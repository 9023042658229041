import type { PartitionName } from './log-store.js';

/** A member of a group and the topics it reads. */
export interface Candidate {
  readonly id: string;
  readonly topics: readonly string[];
}

interface Load {
  readonly id: string;
  readonly topics: ReadonlySet<string>;
  readonly perTopic: Map<string, number>;
  total: number;
}

export function nameOf({ topic, partition }: PartitionName): string {
  return `${topic}\0${partition}`;
}

/**
 * Who should have which partition: within each topic nobody has two more than another, over all topics as even as that allows, and as few as
 * possible change hands. Every member that computes it from the same state gets the same answer. By `nameOf`; partitions nobody reads are left out.
 */
export function balance(
  members: readonly Candidate[],
  partitions: readonly PartitionName[],
  owners: ReadonlyMap<string, string>,
): Map<string, string> {
  const loads = new Map<string, Load>();
  for (const { id, topics } of members.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    loads.set(id, { id, topics: new Set(topics), perTopic: new Map(), total: 0 });
  }
  const target = new Map<string, string>();
  const give = (partition: PartitionName, load: Load): void => {
    target.set(nameOf(partition), load.id);
    load.perTopic.set(partition.topic, (load.perTopic.get(partition.topic) ?? 0) + 1);
    load.total += 1;
  };
  const free: PartitionName[] = [];
  for (const partition of partitions) {
    const owner = loads.get(owners.get(nameOf(partition)) ?? '');
    if (owner?.topics.has(partition.topic)) give(partition, owner);
    else free.push(partition);
  }
  for (const partition of free) {
    const load = lightest(loads, partition.topic);
    if (load !== undefined) give(partition, load);
  }
  for (const partition of partitions) {
    const owner = loads.get(target.get(nameOf(partition)) ?? '');
    const other = lightest(loads, partition.topic);
    if (owner === undefined || other === undefined) continue;
    const more = (owner.perTopic.get(partition.topic) ?? 0) - (other.perTopic.get(partition.topic) ?? 0);
    if (more < 1 || (more === 1 && owner.total - other.total < 2)) continue;
    owner.perTopic.set(partition.topic, owner.perTopic.get(partition.topic)! - 1);
    owner.total -= 1;
    give(partition, other);
  }
  return target;
}

function lightest(loads: ReadonlyMap<string, Load>, topic: string): Load | undefined {
  let best: Load | undefined;
  for (const load of loads.values()) {
    if (!load.topics.has(topic)) continue;
    if (best === undefined) best = load;
    else {
      const less = (load.perTopic.get(topic) ?? 0) - (best.perTopic.get(topic) ?? 0);
      if (less < 0 || (less === 0 && load.total < best.total)) best = load;
    }
  }
  return best;
}
