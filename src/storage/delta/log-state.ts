import type { Action, AddAction, MetaDataAction, ProtocolAction, RemoveAction, TxnAction } from './actions.js';

/** What a live file is to a writer: enough to find it, count it and take it away. */
export interface LiveFile {
  readonly path: string;
  readonly partitionValues: Readonly<Record<string, string | null>>;
  readonly size: number;
  /** Rows, where the file has statistics. */
  readonly rows: number | undefined;
}

/** A table as the commits up to a version make it (Delta protocol, "Action Reconciliation"). Statistics are not kept: checkpoints read them again. */
export class LogState {
  version = -1;
  protocol: ProtocolAction | undefined;
  metaData: MetaDataAction | undefined;
  readonly files = new Map<string, LiveFile>();
  readonly txns = new Map<string, number>();

  apply(actions: readonly Action[], version: number): void {
    for (const action of actions) {
      if (action.add !== undefined) this.files.set(action.add.path, liveFile(action.add));
      else if (action.remove !== undefined) this.files.delete(action.remove.path);
      else if (action.txn !== undefined) this.txns.set(action.txn.appId, action.txn.version);
      else if (action.metaData !== undefined) this.metaData = action.metaData;
      else if (action.protocol !== undefined) this.protocol = action.protocol;
    }
    this.version = version;
  }
}

function liveFile({ path, partitionValues, size, stats }: AddAction): LiveFile {
  return { path, partitionValues, size, rows: stats === undefined ? undefined : recordsOf(stats) };
}

/** Statistics are JSON with whole numbers that may not fit a double; the count stands first in ours, and always fits. */
function recordsOf(stats: string): number | undefined {
  const match = /"numRecords"\s*:\s*(\d+)/.exec(stats);
  return match === null ? undefined : Number(match[1]);
}

/** All that a checkpoint holds: as `LogState`, with each file's own action and the files that readers of older versions may still open. */
export class CheckpointState {
  private protocol: ProtocolAction | undefined;
  private metaData: MetaDataAction | undefined;
  private readonly adds = new Map<string, AddAction>();
  private readonly removes = new Map<string, RemoveAction>();
  private readonly txns = new Map<string, TxnAction>();

  apply(actions: readonly Action[]): void {
    for (const action of actions) {
      if (action.add !== undefined) {
        this.adds.set(action.add.path, { ...action.add, dataChange: false });
        this.removes.delete(action.add.path);
      } else if (action.remove !== undefined) {
        this.adds.delete(action.remove.path);
        this.removes.set(action.remove.path, { ...action.remove, dataChange: false });
      } else if (action.txn !== undefined) this.txns.set(action.txn.appId, action.txn);
      else if (action.metaData !== undefined) this.metaData = action.metaData;
      else if (action.protocol !== undefined) this.protocol = action.protocol;
    }
  }

  /** The actions of the checkpoint; removals from before `keptSince` (milliseconds since 1970) are forgotten. */
  actions(keptSince: number): readonly Action[] {
    const all: Action[] = [];
    if (this.protocol !== undefined) all.push({ protocol: this.protocol });
    if (this.metaData !== undefined) all.push({ metaData: this.metaData });
    for (const txn of this.txns.values()) all.push({ txn });
    for (const add of this.adds.values()) all.push({ add });
    for (const remove of this.removes.values()) if ((remove.deletionTimestamp ?? 0) >= keptSince) all.push({ remove });
    return all;
  }
}
