import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Broker } from '../broker/broker.js';
import { type Ended, lastLine, report, run, type RunReport, unbalanced } from '../e2e/support/command.js';
import { holdingsOf, lastingOf } from '../e2e/support/reconcile.js';
import { holdingsOnKafka } from './holdings.js';

const ARGS = ['dev', '--events', '500', '--seed', '7', '--json', '--no-api'];

describe('the main job on Kafka', () => {
  let broker: Broker;
  let folder: string;
  let onKafka: Ended;
  let embedded: Ended;

  beforeAll(async () => {
    broker = await Broker.start();
    folder = await mkdtemp(join(tmpdir(), 'penstock-main-'));
    embedded = await run([...ARGS, '--data', join(folder, 'embedded')], { cwd: folder });
    onKafka = await run([...ARGS, '--data', join(folder, 'kafka'), '--transport', 'kafka'], {
      cwd: folder,
      env: { KAFKA_BROKERS: broker.brokers.join(',') },
    });
  });

  afterAll(async () => {
    await broker?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('G2: ends with the same tables, files, distinct dead letters, filtered events and actions as on the embedded log', async () => {
    expect(embedded.code, embedded.stderr).toBe(0);
    expect(onKafka.code, onKafka.stderr).toBe(0);
    const [one, other] = [lastLine<RunReport>(embedded), lastLine<RunReport>(onKafka)];
    expect(unbalanced(other)).toEqual([]);
    expect(other.left.filtered).toBe(one.left.filtered);
    expect([other.tables, other.files]).toEqual([one.tables, one.files]);
    expect(lastingOf(await holdingsOnKafka(broker, join(folder, 'kafka')))).toEqual(lastingOf(await holdingsOf(join(folder, 'embedded'))));
  });

  it('topics plan and apply: says what is missing, makes it, and has nothing left to do', async () => {
    const brokers = ['--brokers', broker.brokers.join(','), '--data', join(folder, 'plan')];
    const there = await run(['topics', 'plan', ...brokers], { cwd: folder });
    expect(there.code, there.stderr).toBe(0);
    expect(there.stdout).toMatch(/xact\.events\.raw .* read by xact-event-ingester, xact-delta-events/);
    const other = await Broker.start();
    try {
      const fresh = ['--brokers', other.brokers.join(','), '--data', join(folder, 'plan')];
      const plan = await run(['topics', 'plan', ...fresh], { cwd: folder });
      expect(plan.stdout).toMatch(/^create +xact\.events\.raw/m);
      expect((await run(['topics', 'apply', ...fresh], { cwd: folder })).code).toBe(0);
      const after = await run(['topics', 'plan', ...fresh], { cwd: folder });
      expect(after.stdout).not.toMatch(/^(?:create|grow)/m);
      expect(after.stderr).toContain('nothing to do');
    } finally {
      await other.stop();
    }
  });

  it('says within a second, and by name, that no broker answers', async () => {
    const began = Date.now();
    const ended = await run(['run', '--brokers', '127.0.0.1:1', '--data', join(folder, 'none'), '--no-api'], { cwd: folder });
    expect(ended.code).not.toBe(0);
    expect(ended.stderr).toContain('PS3001');
    expect(ended.stderr).toContain('127.0.0.1:1 refused the connection');
    expect(Date.now() - began).toBeLessThan(5000);
  });

  it('a second run by several processes takes up what is there: nothing is done twice', async () => {
    const shared = { cwd: folder, env: { KAFKA_BROKERS: broker.brokers.join(',') } };
    const half = (...workers: readonly string[]) =>
      report(
        ['run', ...workers.flatMap((name) => ['--worker', name]), '--until-idle', '--no-api', '--json', '--data', join(folder, 'kafka')],
        shared,
      );
    const ended = await Promise.all([
      half('xact-event-ingester', 'xact-download', 'xact-retry'),
      half('xact-upload', 'xact-result-processor', 'xact-delta-events', 'xact-actions'),
    ]);
    for (const { entered } of ended) expect(entered).toBe(0);
  });
});
