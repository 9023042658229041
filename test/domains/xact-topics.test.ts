import { describe, expect, it } from 'vitest';
import {
  allTopics,
  consumedTopics,
  CONSUMED,
  logicalName,
  ofRetryTopic,
  retryTopicName,
  topicName,
  WORKERS,
  type XactWorker,
} from '../../src/domains/xact/topics.js';

const workers = Object.keys(WORKERS) as XactWorker[];
const delays = [300_000, 50, 1500, 3_600_000, 300_000];

describe('topics', () => {
  it('logical names have one name on the wire, and back', () => {
    expect(topicName('xact.downloads_pending')).toBe('xact.downloads.pending');
    expect(topicName('xact.events')).toBe('xact.events.raw');
    for (const logical of CONSUMED) expect(logicalName(topicName(logical))).toBe(logical);
    expect(logicalName('xact.alerts.failures')).toBeUndefined();
  });

  it('C5: a retry topic is named by its delay, in one way only', () => {
    const name = (delayMs: number) => retryTopicName('xact.downloads.pending', delayMs);
    expect([300_000, 50, 1500, 10_000, 3_600_000].map(name)).toEqual([
      'xact.downloads.pending.retry.5m',
      'xact.downloads.pending.retry.50ms',
      'xact.downloads.pending.retry.1500ms',
      'xact.downloads.pending.retry.10s',
      'xact.downloads.pending.retry.1h',
    ]);
    for (const delayMs of delays) expect(ofRetryTopic(name(delayMs))).toEqual({ topic: 'xact.downloads.pending', delayMs });
    expect(ofRetryTopic('xact.downloads.pending')).toBeUndefined();
  });

  it('C5: whatever a worker produces, a worker consumes', () => {
    const produced = workers.flatMap((worker) => WORKERS[worker].produces.map(topicName));
    const consumed = new Set(workers.flatMap((worker) => consumedTopics(worker, delays)));
    expect(produced.length).toBeGreaterThan(5);
    for (const topic of produced) expect(consumed).toContain(topic);
  });

  it('C3: retry topics have one owner, and all topics are known', () => {
    const owners = workers.filter((worker) => consumedTopics(worker, delays).some((topic) => ofRetryTopic(topic) !== undefined));
    expect(owners).toEqual(['xact-retry']);
    const all = allTopics(delays);
    expect(new Set(all).size).toBe(all.length);
    for (const worker of workers) for (const topic of consumedTopics(worker, delays)) expect(all).toContain(topic);
  });
});
