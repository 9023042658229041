import { readFile } from 'node:fs/promises';
import { Bool, type Data, type DataType, Field, Int32, Int64, List, Map_, Struct, Utf8, vectorFromArray } from 'apache-arrow';
import * as parquet from 'parquet-wasm';
import { PenstockError } from '../../diagnostics/index.js';
import type { Action } from './actions.js';
import type { CheckpointRequest } from './encoder.js';
import { CommitLog } from './log.js';
import { CheckpointState } from './log-state.js';
import { readTable, writeTable } from './parquet.js';

/** The shape of an action in a checkpoint (Delta protocol, "Checkpoint Schema"). */
type Shape = 'text' | 'long' | 'int' | 'boolean' | 'texts' | 'map' | { readonly [member: string]: Shape };

const ACTIONS: Readonly<Record<'protocol' | 'metaData' | 'txn' | 'add' | 'remove', { readonly [member: string]: Shape }>> = {
  protocol: { minReaderVersion: 'int', minWriterVersion: 'int' },
  metaData: {
    id: 'text',
    name: 'text',
    description: 'text',
    format: { provider: 'text', options: 'map' },
    schemaString: 'text',
    partitionColumns: 'texts',
    configuration: 'map',
    createdTime: 'long',
  },
  txn: { appId: 'text', version: 'long', lastUpdated: 'long' },
  add: { path: 'text', partitionValues: 'map', size: 'long', modificationTime: 'long', dataChange: 'boolean', stats: 'text' },
  remove: {
    path: 'text',
    deletionTimestamp: 'long',
    dataChange: 'boolean',
    extendedFileMetadata: 'boolean',
    partitionValues: 'map',
    size: 'long',
  },
};

/** Builds a checkpoint from the newest one below it and the commits between, and puts it in place. */
export async function writeCheckpoint({ tableDirectory, version, keptSince }: CheckpointRequest): Promise<void> {
  const log = new CommitLog(tableDirectory);
  const state = new CheckpointState();
  const before = await log.latestCheckpoint(version - 1);
  if (before !== undefined) state.apply(await decodeCheckpoint(await readFile(log.checkpointPath(before))));
  for (let at = (before ?? -1) + 1; at <= version; at += 1) {
    const actions = await log.read(at);
    if (actions === undefined) {
      throw new PenstockError('PS4108', `version ${String(at)} of the table in ${tableDirectory} is missing`, { category: 'permanent' });
    }
    state.apply(actions);
  }
  const actions = state.actions(keptSince);
  await log.putCheckpoint(version, encodeCheckpoint(actions), actions.length);
}

/** A checkpoint file: every column PLAIN and without dictionary, since some engines read no other encoding there. */
export function encodeCheckpoint(actions: readonly Action[]): Uint8Array {
  const fields: Field[] = [];
  const children: Data[] = [];
  for (const [name, shape] of Object.entries(ACTIONS) as [keyof typeof ACTIONS, Shape][]) {
    const type = arrowType(shape);
    fields.push(new Field(name, type, true));
    children.push(
      vectorFromArray(
        actions.map((action) => toArrow(shape, action[name])),
        type,
      ).data[0]!,
    );
  }
  const properties = new parquet.WriterPropertiesBuilder()
    .setWriterVersion(parquet.WriterVersion.V1)
    .setDictionaryEnabled(false)
    .setEncoding(parquet.Encoding.PLAIN)
    .setCompression(parquet.Compression.SNAPPY)
    .setCreatedBy('penstock')
    .build();
  return writeTable(fields, children, actions.length, properties);
}

/** The actions of a checkpoint, as far as they are known here. */
export async function decodeCheckpoint(bytes: Uint8Array): Promise<readonly Action[]> {
  const table = await readTable(bytes);
  const actions: Action[] = [];
  for (const [name, shape] of Object.entries(ACTIONS)) {
    const column = table.getChild(name);
    if (column === null) continue;
    for (const value of column) if (value !== null) actions.push({ [name]: fromArrow(shape, value) });
  }
  return actions;
}

function arrowType(shape: Shape): DataType {
  if (typeof shape === 'object') {
    return new Struct(Object.entries(shape).map(([name, member]) => new Field(name, arrowType(member), true)));
  }
  switch (shape) {
    case 'text':
      return new Utf8();
    case 'long':
      return new Int64();
    case 'int':
      return new Int32();
    case 'boolean':
      return new Bool();
    case 'texts':
      return new List(new Field('element', new Utf8(), true));
    case 'map': {
      const entry = new Struct<{ key: Utf8; value: Utf8 }>([new Field('key', new Utf8(), false), new Field('value', new Utf8(), true)]);
      return new Map_(new Field('key_value', entry, false));
    }
  }
}

function toArrow(shape: Shape, value: unknown): unknown {
  if (value === undefined || value === null) return null;
  if (typeof shape === 'object') {
    return Object.fromEntries(
      Object.entries(shape).map(([name, member]) => [name, toArrow(member, (value as Readonly<Record<string, unknown>>)[name])]),
    );
  }
  if (shape === 'long') return BigInt(value as number);
  return shape === 'map' ? new Map(Object.entries(value)) : value;
}

interface ArrowStruct {
  readonly [member: string]: unknown;
}

function fromArrow(shape: Shape, value: unknown): unknown {
  if (value === null || value === undefined) return undefined;
  if (typeof shape === 'object') {
    const members: Record<string, unknown> = {};
    for (const [name, member] of Object.entries(shape)) {
      const read = fromArrow(member, (value as ArrowStruct)[name]);
      if (read !== undefined) members[name] = read;
    }
    return members;
  }
  if (shape === 'long') return Number(value);
  if (shape === 'texts') return [...(value as Iterable<string>)];
  return shape === 'map' ? Object.fromEntries(value as Iterable<readonly [string, string | null]>) : value;
}
