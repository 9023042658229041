/** Of a partition: topic id and partition, so that a topic's rows lie together. */
export function partitionKey(topicId: number, partition: number): Buffer {
  const key = Buffer.allocUnsafe(8);
  key.writeUInt32BE(topicId, 0);
  key.writeUInt32BE(partition, 4);
  return key;
}

/** Of a chunk: its partition and the offset of its first record, in order. */
export function recordKey(topicId: number, partition: number, offset: number): Buffer {
  const key = Buffer.allocUnsafe(16);
  key.writeUInt32BE(topicId, 0);
  key.writeUInt32BE(partition, 4);
  key.writeBigUInt64BE(BigInt(offset), 8);
  return key;
}

export function offsetIn(key: Buffer): number {
  return Number(key.readBigUInt64BE(8));
}

/** Of what a group knows about a partition. */
export function groupKey(group: string, topic: string, partition: number): Buffer {
  return Buffer.from(`${group}\0${topic}\0${partition}`);
}
