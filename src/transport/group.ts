import { balance, nameOf } from './balance.js';
import type { Beat, PartitionName } from './log-store.js';

/** A consumer group as it lies in the store; plain data. */
export interface Group {
  /** Grows when members or leases change. */
  generation: number;
  readonly members: Record<string, GroupMember>;
  /** By `nameOf`; a lease without a member is free, its epoch goes on. */
  readonly leases: Record<string, GroupLease>;
}

export interface GroupMember {
  readonly topics: readonly string[];
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** The process it lives in, as `processName` writes it. */
  readonly process: string;
}

export interface GroupLease extends PartitionName {
  readonly member: string | undefined;
  readonly epoch: number;
}

export interface BeatInput {
  readonly now: number;
  readonly expiresAt: number;
  readonly process: string;
  /** All partitions of a topic. */
  partitionsOf(topic: string): number;
  /** False when the member's process is known to be gone. */
  isAlive(member: GroupMember): boolean;
}

export interface BeatOutcome {
  readonly held: readonly GroupLease[];
  /** Leases that this beat changed. */
  readonly changed: readonly GroupLease[];
  readonly surplus: readonly PartitionName[];
}

export function emptyGroup(): Group {
  return { generation: 0, members: {}, leases: {} };
}

/**
 * One heartbeat of one member, written into `group`: it is alive, what it gives back is free, who is dead loses all, and what is free and should be
 * this member's becomes its, with the next epoch. Nothing is ever taken from a living member: it is told what is surplus and gives it back itself.
 */
export function beatGroup(group: Group, beat: Beat, input: BeatInput): BeatOutcome {
  const changed: GroupLease[] = [];
  const set = (lease: GroupLease): void => {
    group.leases[nameOf(lease)] = lease;
    changed.push(lease);
  };
  const topics = beat.topics.toSorted();
  const known = group.members[beat.member];
  let reshaped = known === undefined || known.topics.join('\0') !== topics.join('\0');
  group.members[beat.member] = { topics, expiresAt: input.expiresAt, process: input.process };
  for (const [id, member] of Object.entries(group.members)) {
    if (id === beat.member || (member.expiresAt > input.now && input.isAlive(member))) continue;
    delete group.members[id];
    reshaped = true;
  }
  const surrendered = new Set(beat.surrendered.map(nameOf));
  for (const lease of Object.values(group.leases)) {
    if (lease.member === undefined) continue;
    const gone = group.members[lease.member] === undefined;
    const given = lease.member === beat.member && (surrendered.has(nameOf(lease)) || !topics.includes(lease.topic));
    if (gone || given) set({ ...lease, member: undefined });
  }
  const target = targetOf(group, input);
  for (const [name, { topic, partition }] of target.partitions) {
    const lease = group.leases[name];
    if (lease?.member !== undefined || target.owners.get(name) !== beat.member) continue;
    set({ topic, partition, member: beat.member, epoch: (lease?.epoch ?? 0) + 1 });
  }
  if (reshaped || changed.length > 0) group.generation += 1;
  const held = Object.values(group.leases).filter((lease) => lease.member === beat.member);
  return { held, changed, surplus: held.filter((lease) => target.owners.get(nameOf(lease)) !== beat.member) };
}

/** The member is gone of its own will; what it held is free. Returns the leases that changed. */
export function leaveGroup(group: Group, member: string): readonly GroupLease[] {
  if (group.members[member] === undefined) return [];
  delete group.members[member];
  const changed: GroupLease[] = [];
  for (const [name, lease] of Object.entries(group.leases)) {
    if (lease.member !== member) continue;
    group.leases[name] = { ...lease, member: undefined };
    changed.push(group.leases[name]);
  }
  group.generation += 1;
  return changed;
}

function targetOf(group: Group, input: BeatInput) {
  const members = Object.entries(group.members).map(([id, { topics }]) => ({ id, topics }));
  const partitions = new Map<string, PartitionName>();
  for (const topic of [...new Set(members.flatMap(({ topics }) => topics))].toSorted()) {
    for (let partition = 0; partition < input.partitionsOf(topic); partition += 1)
      partitions.set(nameOf({ topic, partition }), { topic, partition });
  }
  const owners = new Map<string, string>();
  for (const lease of Object.values(group.leases)) if (lease.member !== undefined) owners.set(nameOf(lease), lease.member);
  return { partitions, owners: balance(members, [...partitions.values()], owners) };
}
