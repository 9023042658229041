import type { Kv, KvTable } from '../../storage/kv/index.js';
import { nameOf } from '../balance.js';
import { beatGroup, emptyGroup, type BeatInput, type BeatOutcome, type Group, type GroupLease, leaveGroup } from '../group.js';
import type { Progress } from '../ledger.js';
import type { Beat, Lease } from '../log-store.js';
import { groupKey } from './keys.js';

/** Consumer groups: members and leases as one row a group, each lease once more by itself for the check at a commit, and progress. */
export class GroupTable {
  private readonly groups: KvTable;
  private readonly leases: KvTable;
  private readonly progresses: KvTable;

  constructor(kv: Kv) {
    this.groups = kv.table('groups');
    this.leases = kv.table('leases');
    this.progresses = kv.table('progress');
  }

  /** Within a transaction. `reshaped`: others have to look again. */
  beat(beat: Beat, input: BeatInput): BeatOutcome & { readonly reshaped: boolean } {
    const group = this.load(beat.group);
    const before = group.generation;
    const outcome = beatGroup(group, beat, input);
    this.save(beat.group, group, outcome.changed);
    return { ...outcome, reshaped: group.generation !== before };
  }

  /** Within a transaction. */
  leave(name: string, member: string): boolean {
    const group = this.load(name);
    const before = group.generation;
    this.save(name, group, leaveGroup(group, member));
    return group.generation !== before;
  }

  generation(name: string): number {
    return this.load(name).generation;
  }

  /** Whether nobody else has been given the partition since. */
  isCurrent({ group, topic, partition, member, epoch }: Lease): boolean {
    const row = this.leases.get(groupKey(group, topic, partition));
    return row !== undefined && row.readDoubleLE(0) === epoch && row.toString('utf8', 8) === member;
  }

  progress(group: string, topic: string, partition: number): Progress | undefined {
    const row = this.progresses.get(groupKey(group, topic, partition));
    return row === undefined ? undefined : { offset: row.readDoubleLE(0), beyond: row.subarray(8) };
  }

  /** Within a transaction. */
  setProgress(group: string, topic: string, partition: number, { offset, beyond }: Progress): void {
    const row = Buffer.allocUnsafe(8 + beyond.length);
    row.writeDoubleLE(offset, 0);
    row.set(beyond, 8);
    this.progresses.put(groupKey(group, topic, partition), row);
  }

  /** The first offset of a partition that some group still needs: all of it, for one that was given it and has committed nothing. Infinity when no group has been there. */
  heldFrom(topic: string, partition: number): number {
    let from = Infinity;
    for (const { key } of this.groups.range({})) {
      const group = key.toString();
      const wasGiven = this.leases.get(groupKey(group, topic, partition)) !== undefined;
      from = Math.min(from, this.progress(group, topic, partition)?.offset ?? (wasGiven ? 0 : Infinity));
    }
    return from;
  }

  private load(name: string): Group {
    const row = this.groups.get(Buffer.from(name));
    if (row === undefined) return emptyGroup();
    const { generation, members, leases } = JSON.parse(row.toString()) as StoredGroup;
    return { generation, members, leases: Object.fromEntries(leases.map((lease) => [nameOf(lease), lease])) };
  }

  private save(name: string, { generation, members, leases }: Group, changed: readonly GroupLease[]): void {
    const stored: StoredGroup = { generation, members, leases: Object.values(leases) };
    this.groups.put(Buffer.from(name), Buffer.from(JSON.stringify(stored)));
    for (const { topic, partition, member, epoch } of changed) {
      const row = Buffer.alloc(8 + Buffer.byteLength(member ?? ''));
      row.writeDoubleLE(epoch, 0);
      row.write(member ?? '', 8);
      this.leases.put(groupKey(name, topic, partition), row);
    }
  }
}

interface StoredGroup {
  readonly generation: number;
  readonly members: Group['members'];
  readonly leases: readonly GroupLease[];
}
