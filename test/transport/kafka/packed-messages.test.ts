import { createRequire } from 'node:module';
import fc from 'fast-check';
import type { Message } from 'kafkajs';
import { expect, it } from 'vitest';
import { packed } from '../../../src/transport/kafka/packed-messages.js';

interface Request {
  encode(): Promise<{ readonly buffer: Buffer }>;
}

/** The client's own request: what it makes of messages is what must come of packed ones. */
const clientRequest = createRequire(import.meta.url)('kafkajs/src/protocol/requests/produce/v7/request.js') as (asked: object) => Request;
const groupMessages = createRequire(import.meta.url)('kafkajs/src/producer/groupMessagesPerPartition.js') as (asked: object) => object;

async function requestOf(messages: readonly Message[], compression = 0): Promise<Buffer> {
  const partitions = [{ partition: 3, firstSequence: 17, messages }];
  const topicData = [{ topic: 'topic', partitions }];
  const request = clientRequest({ acks: -1, timeout: 1000, producerId: '7', producerEpoch: 1, compression, topicData });
  return (await request.encode()).buffer;
}

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each)),
  fc.constantFrom(...[63, 64, 127, 128, 8191, 8192, 70_000].map((length) => Buffer.alloc(length, 1))),
);
const message = fc
  .record({
    key: fc.option(bytes),
    value: fc.option(bytes),
    timestamp: fc.oneof(fc.constant(1_700_000_000_000), fc.integer({ min: 1_000_000_000_000, max: 9_999_999_999_999 })),
    headers: fc.option(
      fc.dictionary(fc.string({ maxLength: 20 }), fc.oneof(bytes, fc.array(bytes, { minLength: 1, maxLength: 3 })), {
        noNullPrototype: true,
      }),
    ),
  })
  .map(({ headers, timestamp, ...rest }): Message => {
    const said: Message = { ...rest, partition: 3, timestamp: timestamp as unknown as string };
    return headers === null ? said : { ...said, headers };
  });

it('requests are byte for byte those of the client, with and without compression', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 40 }), fc.constantFrom(0, 1), async (messages, compression) => {
      const own = packed(messages, 3);
      const expected = await requestOf(messages, compression);
      expect((await requestOf(own, compression)).equals(expected)).toBe(true);
      // A batch whose fate is unknown is sent again with the same content.
      expect((await requestOf(own, compression)).equals(expected)).toBe(true);
    }),
    { numRuns: 200 },
  );
});

it('a batch of thousands of records is the same too', async () => {
  const messages = Array.from({ length: 5000 }, (_, at): Message => {
    return {
      key: Buffer.from(`k${at}`),
      value: Buffer.alloc(at % 300, at),
      partition: 3,
      timestamp: (1_700_000_000_000 + at) as unknown as string,
    };
  });
  expect((await requestOf(packed(messages, 3))).equals(await requestOf(messages))).toBe(true);
});

it('all messages are of the partition, whatever the client asks of them', () => {
  const messages: Message[] = [
    { key: null, value: Buffer.from('a') },
    { key: null, value: Buffer.from('b') },
  ];
  const own = packed(messages, 5);
  expect(groupMessages({ topic: 't', partitionMetadata: [{}], messages: own, partitioner: () => 0 })).toEqual({ 5: own });
  expect([own.length, own.find(({ value }) => value === undefined), [...own]]).toEqual([2, undefined, messages]);
});

it('a call that the client does not make today is the usual one', () => {
  const messages: Message[] = [
    { key: null, value: Buffer.from('a') },
    { key: null, value: Buffer.from('b') },
  ];
  expect(packed(messages, 0).map(({ value }) => String(value))).toEqual(['a', 'b']);
  expect(packed(messages, 0).map(({ key }) => key)).toEqual([null, null]);
});
