import type { BeatAnswer, Change, GroupStore, Lease, WriteResult, WriteUnit } from '../log-store.js';
import type { Prepared } from '../prepared.js';
import type { LogRecord } from '../transport.js';

/** What a view needs of the member it belongs to. */
export interface SharedMember extends Omit<GroupStore, 'beat' | 'leave' | 'obstacle' | 'leaseMs' | 'passedOver'> {
  held(): BeatAnswer | Promise<BeatAnswer>;
  passedOver(lease: Lease): number;
  /** One of those who read here has gone. */
  viewLeft(view: GroupView): Promise<void>;
}

/** One consumer's part of a member: its own topics of those that the member reads. */
export class GroupView implements GroupStore {
  readonly leaseMs = undefined;

  constructor(
    private readonly member: SharedMember,
    readonly topics: readonly string[],
  ) {}

  refusal(record: Prepared): Error | undefined {
    return this.member.refusal(record);
  }

  end(topic: string, partition: number): number {
    return this.member.end(topic, partition);
  }

  read(topic: string, partition: number, from: number): readonly LogRecord[] {
    return this.member.read(topic, partition, from);
  }

  passedOver(lease: Lease): number {
    return this.member.passedOver(lease);
  }

  async beat(): Promise<BeatAnswer> {
    const { granted, surplus } = await this.member.held();
    const ours = ({ topic }: { readonly topic: string }) => this.topics.includes(topic);
    return { granted: granted.filter(ours), surplus: surplus.filter(ours) };
  }

  shapeOf(group: string, topics: readonly string[]): string {
    return this.member.shapeOf(group, topics);
  }

  onChange(listener: (change: Change) => void): () => void {
    return this.member.onChange(listener);
  }

  write(units: readonly WriteUnit[]): Promise<readonly WriteResult[]> {
    return this.member.write(units);
  }

  leave(): Promise<void> {
    return this.member.viewLeft(this);
  }
}
