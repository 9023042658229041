import type { Assigner, Cluster, PartitionAssigner } from 'kafkajs';
import kafkajs from 'kafkajs';
import { balance, nameOf } from '../balance.js';
import type { PartitionName } from '../log-store.js';

const { AssignerProtocol } = kafkajs;

const { MemberAssignment, MemberMetadata } = AssignerProtocol;

/** What a member says of itself when it joins. */
interface Claimed {
  readonly owned: readonly PartitionName[];
  /** When its assignment was made, in milliseconds since 1970: of two that claim one partition, the later has it. */
  readonly since: number;
}

export interface AssignerInput {
  /** What this member holds now. */
  owned(): Claimed;
  /** Hears of the client's view of the cluster as soon as there is one. */
  cluster(cluster: Cluster): void;
}

/** Spreads partitions evenly and leaves with each member what it has: what does not change hands goes on undisturbed. */
export function stickyAssigner(input: AssignerInput): PartitionAssigner {
  return ({ cluster }): Assigner => {
    input.cluster(cluster);
    return {
      name: 'penstock-sticky',
      version: 1,
      async assign({ members }) {
        const joined = members.map(({ memberId, memberMetadata }) => {
          const metadata = MemberMetadata.decode(memberMetadata);
          return { id: memberId, topics: metadata?.topics ?? [], claimed: claimedIn(metadata?.userData) };
        });
        const topics = [...new Set(joined.flatMap((member) => member.topics))].toSorted();
        // The leader may read fewer topics than the group.
        await cluster.addMultipleTargetTopics(topics);
        const partitions = topics.flatMap((topic) =>
          cluster
            .findTopicPartitionMetadata(topic)
            .map(({ partitionId }) => ({ topic, partition: partitionId }))
            .toSorted((a, b) => a.partition - b.partition),
        );
        const owners = new Map<string, string>();
        for (const { id, claimed } of joined.toSorted((a, b) => a.claimed.since - b.claimed.since)) {
          for (const partition of claimed.owned) owners.set(nameOf(partition), id);
        }
        const target = balance(joined, partitions, owners);
        return joined.map(({ id }) => {
          const assignment: Record<string, number[]> = {};
          for (const partition of partitions) {
            if (target.get(nameOf(partition)) === id) (assignment[partition.topic] ??= []).push(partition.partition);
          }
          return { memberId: id, memberAssignment: MemberAssignment.encode({ version: 1, assignment, userData: Buffer.alloc(0) }) };
        });
      },
      protocol({ topics }) {
        return { name: this.name, metadata: MemberMetadata.encode({ version: 1, topics, userData: Buffer.from(textOf(input.owned())) }) };
      },
    };
  };
}

function textOf({ owned, since }: Claimed): string {
  const byTopic: Record<string, number[]> = {};
  for (const { topic, partition } of owned) (byTopic[topic] ??= []).push(partition);
  return JSON.stringify({ since, owned: byTopic });
}

/** A member that says nothing, or something else, owns nothing. */
function claimedIn(userData: Buffer | undefined): Claimed {
  const nothing = { owned: [], since: 0 };
  if (userData === undefined || userData.length === 0) return nothing;
  let said: unknown;
  try {
    said = JSON.parse(userData.toString());
  } catch {
    return nothing; // another client's own data
  }
  const { owned, since } = said as { readonly owned?: Readonly<Record<string, readonly number[]>>; readonly since?: number };
  if (typeof owned !== 'object' || typeof since !== 'number') return nothing;
  return { since, owned: Object.entries(owned).flatMap(([topic, numbers]) => numbers.map((partition) => ({ topic, partition }))) };
}
