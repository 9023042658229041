/** Actions of a Delta commit (Delta protocol, "Actions"); a line of the commit file holds one, under its name. */
export interface ProtocolAction {
  readonly minReaderVersion: number;
  readonly minWriterVersion: number;
  readonly readerFeatures?: readonly string[];
  readonly writerFeatures?: readonly string[];
}

export interface MetaDataAction {
  readonly id: string;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly format: { readonly provider: string; readonly options?: Readonly<Record<string, string>> };
  readonly schemaString: string;
  readonly partitionColumns: readonly string[];
  readonly configuration?: Readonly<Record<string, string>>;
  readonly createdTime?: number | undefined;
}

export interface AddAction {
  /** Relative to the table, as a URI: percent-encoded once more than the name on disk. */
  readonly path: string;
  readonly partitionValues: Readonly<Record<string, string | null>>;
  readonly size: number;
  readonly modificationTime: number;
  readonly dataChange: boolean;
  readonly stats?: string | undefined;
}

export interface RemoveAction {
  readonly path: string;
  readonly deletionTimestamp?: number | undefined;
  readonly dataChange: boolean;
  readonly extendedFileMetadata?: boolean | undefined;
  readonly partitionValues?: Readonly<Record<string, string | null>> | undefined;
  readonly size?: number | undefined;
}

export interface TxnAction {
  readonly appId: string;
  readonly version: number;
  readonly lastUpdated?: number | undefined;
}

export interface CommitInfoAction {
  readonly timestamp: number;
  readonly operation: string;
  readonly operationParameters: Readonly<Record<string, string>>;
  readonly isBlindAppend: boolean;
  readonly engineInfo: string;
  /** Says whose commit this is, when the answer to a commit got lost. */
  readonly txnId: string;
}

export interface Action {
  readonly protocol?: ProtocolAction;
  readonly metaData?: MetaDataAction;
  readonly add?: AddAction;
  readonly remove?: RemoveAction;
  readonly txn?: TxnAction;
  readonly commitInfo?: CommitInfoAction;
}

/** The lines of a commit. */
export function actionsText(actions: readonly Action[]): string {
  return `${actions.map((action) => JSON.stringify(action)).join('\n')}\n`;
}

/** Reads the lines of a commit; throws a SyntaxError on what is not one. */
export function parseActions(text: string): readonly Action[] {
  const actions: Action[] = [];
  for (const line of text.split('\n')) if (line.trim() !== '') actions.push(JSON.parse(line) as Action);
  return actions;
}
