import { expect, it } from 'vitest';
import type { CommitRequest } from '../../../src/transport/kafka/commit-path.js';
import { CommitSender } from '../../../src/transport/kafka/commit-sender.js';
import { hold } from '../../../src/transport/kafka/held-partition.js';

const NOTHING = new Uint8Array(0);

it('what the client has overwritten is committed once more, also when the first try could not be sent; never the start of the log', () => {
  const progress = { offset: 7, beyond: NOTHING };
  const held = hold({ topic: 't', partition: 0 }, { epoch: 1, progress, topicId: undefined, end: 9, now: 0 });
  const sent: string[] = [];
  const sender = new CommitSender({ group: 'g', patienceMs: 1000, commitsOf: () => held.commits, hopeless: () => undefined });
  sender.repeat(held, undefined);
  sender.via = (request) => {
    const { topics } = request as CommitRequest;
    sent.push(...topics.flatMap(({ partitions }) => partitions.map(({ offset }) => offset)));
    return Promise.resolve();
  };
  sender.repeat(held, undefined);
  sender.repeat(held, undefined);
  expect(sent).toEqual(['7', '7']);
});
