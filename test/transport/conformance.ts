import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { ConsumeOptions, LogRecord, NewRecord, Transport } from '../../src/transport/transport.js';
import { Collector, doorOf, turns, until } from './collector.js';

/** How the suite gets a log of its own, empty, and opens the same log again. */
export interface Subject {
  readonly transport: Transport;
  /** Another handle on the same log, as another process would have; undefined when it cannot be shared. */
  again?(): Promise<Transport>;
  /** Makes every write fail for want of room, until called with false; undefined where that cannot be had. */
  breakWrites?(broken: boolean): void;
  /** Throws the log away. */
  dispose(): Promise<void>;
}

let names = 0;
const fresh = (stem: string): string => `${stem}.${(names += 1)}`;
const CREDITS = { count: 100, bytes: 1_000_000 };

/** What every transport promises. `lacking` names what its subject cannot show; those tests are reported as skipped. */
export function contractTests(name: string, make: () => Promise<Subject>, lacking: readonly 'faults'[] = []): void {
  const faults = it.skipIf(lacking.includes('faults'));

  describe(`${name}: the transport contract`, () => {
    const subjects: Subject[] = [];
    const collectors: Collector[] = [];

    afterEach(async () => {
      for (const collector of collectors.splice(0)) collector.unsubscribe();
      for (const subject of subjects.splice(0)) await subject.dispose();
    });

    async function open(): Promise<Subject> {
      const subject = await make();
      subjects.push(subject);
      return subject;
    }

    async function topicOf(transport: Transport, partitions = 1, values: readonly string[] = []): Promise<string> {
      const topic = fresh('topic');
      await transport.ensureTopics([{ name: topic, partitions }]);
      await transport.produce(values.map((value) => ({ topic, key: null, value, partition: 0 })));
      return topic;
    }

    function collect(transport: Transport, options: Partial<ConsumeOptions> & { topics: readonly string[]; group: string }): Collector {
      const collector = new Collector(transport.consume({ credits: CREDITS, ...options }));
      collectors.push(collector);
      return collector;
    }

    async function readAll(transport: Transport, topic: string, partition = 0, from?: number): Promise<readonly LogRecord[]> {
      const records: LogRecord[] = [];
      for await (const record of transport.read(topic, partition, from)) records.push(record);
      return records;
    }

    it('keeps values, keys, binary and repeated headers, tombstones and timestamps as they are (C9)', async () => {
      const { transport } = await open();
      const topic = await topicOf(transport);
      const bytes = Buffer.from([0, 255, 128, 10, 13]);
      const sent: readonly NewRecord[] = [
        { topic, key: 'k', value: 'v', headers: { name: 'wért' }, timestamp: 1_700_000_000_123 },
        { topic, key: null, value: null },
        {
          topic,
          key: bytes,
          value: bytes,
          headers: [
            ['h', bytes],
            ['h', Buffer.alloc(0)],
            ['', Buffer.from('x')],
          ],
        },
        { topic, key: '', value: '' },
      ];
      const positions = await transport.produce(sent);
      expect(positions.map(({ offset }) => offset)).toEqual([0, 1, 2, 3]);
      const got = await readAll(transport, topic);
      expect(got[0]).toMatchObject({ topic, partition: 0, offset: 0, timestamp: 1_700_000_000_123 });
      expect([got[0]!.key, got[0]!.value, got[0]!.headers]).toEqual([Buffer.from('k'), Buffer.from('v'), [['name', Buffer.from('wért')]]]);
      expect([got[1]!.key, got[1]!.value, got[1]!.headers]).toEqual([null, null, []]);
      expect([got[2]!.key, got[2]!.value]).toEqual([bytes, bytes]);
      expect(got[2]!.headers).toEqual([
        ['h', bytes],
        ['h', Buffer.alloc(0)],
        ['', Buffer.from('x')],
      ]);
      expect([got[3]!.key, got[3]!.value]).toEqual([Buffer.alloc(0), Buffer.alloc(0)]);
    });

    it('puts a key where the reference client of the log would, and takes turns without one', async () => {
      const { transport } = await open();
      const topic = await topicOf(transport, 10);
      const keys = [
        '21',
        'foobar',
        'a-little-bit-long-string',
        'a-little-bit-longer-string',
        'lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8',
      ];
      const positions = await transport.produce(keys.map((key) => ({ topic, key, value: key })));
      const hashes = [-973932308, -790332482, -985981536, -1486304829, -58897971];
      expect(positions.map(({ partition }) => partition)).toEqual(hashes.map((hash) => (hash & 0x7fffffff) % 10));
      const keyless = await transport.produce(Array.from({ length: 100 }, () => ({ topic, key: null, value: 'x' })));
      expect(new Set(keyless.map(({ partition }) => partition)).size).toBeGreaterThan(1);
    });

    it('hands out each record of a partition once, in order of offset, with its origin', async () => {
      const { transport } = await open();
      const topic = await topicOf(transport);
      const values = Array.from({ length: 700 }, (_, index) => `${index}`);
      await transport.produce(values.map((value) => ({ topic, key: 'k', value, headers: { h: '1' } })));
      const collector = collect(transport, { topics: [topic], group: 'g', credits: { count: 1000, bytes: 1_000_000 } });
      await collector.has(700);
      await turns();
      expect(collector.values).toEqual(values);
      expect(collector.deliveries[3]!.origin).toMatchObject({ topic, partition: 0, offset: 3, key: 'k', headers: { h: '1' } });
    });

    it('hands out what is produced later, without being asked again', async () => {
      const { transport } = await open();
      const topic = await topicOf(transport);
      const collector = collect(transport, { topics: [topic], group: 'g' });
      await turns();
      await transport.produce([{ topic, key: null, value: 'late' }]);
      await collector.has(1);
      expect(collector.values).toEqual(['late']);
    });

    it('A2: commits no more than the contiguous prefix of what has left', async () => {
      const { transport } = await open();
      const topic = await topicOf(transport, 1, ['0', '1', '2', '3']);
      expect(await transport.committed('g', topic)).toEqual([{ partition: 0, offset: -1 }]);
      const collector = collect(transport, { topics: [topic], group: 'g' });
      const out = await collector.has(4);
      const [first, second, third] = out;
      third!.settle('delivered');
      second!.settle('filtered');
      await Promise.all([doorOf(third!), doorOf(second!)]);
      expect((await transport.committed('g', topic))[0]!.offset).toBeLessThan(1);
      first!.settle('retried');
      await doorOf(first!);
      await until('the commit of 3', async () => (await transport.committed('g', topic))[0]!.offset === 3);
      expect(await transport.backlog('g', [topic])).toBe(1);
    });

    it('goes on where the group stopped', async () => {
      const { transport } = await open();
      const topic = await topicOf(transport, 1, ['0', '1', '2']);
      const first = collect(transport, { topics: [topic], group: 'g' });
      for (const delivery of (await first.has(3)).slice(0, 2)) delivery.settle('delivered');
      await doorOf(first.deliveries[1]!);
      first.unsubscribe();
      const second = collect(transport, { topics: [topic], group: 'g' });
      await second.has(1);
      await turns();
      expect(second.values).toEqual(['2']);
      const other = collect(transport, { topics: [topic], group: 'another' });
      expect((await other.has(3)).length).toBe(3);
    });

    it('after a restart repeats only what was unfinished, also beyond the prefix', async () => {
      const { transport } = await open();
      const topic = await topicOf(transport, 1, ['0', '1', '2', '3', '4', '5']);
      const first = collect(transport, { topics: [topic], group: 'g' });
      const out = await first.has(6);
      for (const index of [1, 3, 4]) out[index]!.settle('delivered');
      for (const index of [1, 3, 4]) await doorOf(out[index]!);
      expect(await transport.backlog('g', [topic])).toBe(3);
      first.unsubscribe();
      const second = collect(transport, { topics: [topic], group: 'g' });
      await second.has(3);
      await turns();
      expect(second.values).toEqual(['0', '2', '5']);
      for (const delivery of second.deliveries) delivery.settle('delivered');
      await until('the end', async () => (await transport.committed('g', topic))[0]!.offset === 6);
    });

    it('settles every record exactly once durably, whatever the order, with members that come and go', async () => {
      const { transport } = await open();
      const step = fc.oneof(fc.record({ settle: fc.nat(1000) }), fc.constant({ restart: true } as const));
      let round = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
          round += 1;
          const group = `random-${round}`;
          const topic = await topicOf(transport, 2);
          const out = await topicOf(transport);
          await transport.produce(
            Array.from({ length: 20 }, (_, index) => ({ topic, partition: index % 2, key: null, value: `${index}` })),
          );
          let collector = collect(transport, { topics: [topic], group, credits: { count: 7, bytes: 1000 } });
          const settle = (draw: number): void => {
            const ready = collector.deliveries.filter(({ outcome }) => outcome === undefined);
            const delivery = ready[draw % Math.max(1, ready.length)];
            delivery?.carry({ kind: 'produce', record: { topic: out, key: null, value: delivery.value.value } });
            delivery?.settle('delivered');
          };
          for (const each of steps) {
            if ('settle' in each) settle(each.settle);
            else {
              collector.unsubscribe();
              collector = collect(transport, { topics: [topic], group, credits: { count: 7, bytes: 1000 } });
            }
            await turns(3);
          }
          await until('an empty backlog', async () => {
            settle(0);
            return (await transport.backlog(group, [topic])) === 0;
          });
          collector.unsubscribe();
          const values = (await readAll(transport, out)).map(({ value }) => Number(value!.toString())).toSorted((a, b) => a - b);
          const expected = Array.from({ length: 20 }, (_, index) => index);
          expect(transport.capabilities.atomicCommit ? values : [...new Set(values)]).toEqual(expected);
        }),
        { numRuns: 15 },
      );
    });

    it('takes up a topic that is made later, and partitions that are added', async () => {
      const { transport } = await open();
      const topic = fresh('later');
      const collector = collect(transport, { topics: [topic], group: 'g' });
      await turns();
      await transport.ensureTopics([{ name: topic, partitions: 1 }]);
      await until('one partition', () => collector.consumer.state().assigned.length === 1);
      await transport.ensureTopics([{ name: topic, partitions: 3 }]);
      await until('three partitions', () => collector.consumer.state().assigned.length === 3);
      await transport.produce([{ topic, key: null, value: 'x', partition: 2 }]);
      await collector.has(1);
    });

    faults('a full disk stops intake with a named fault, loses nothing, and goes on by itself', async () => {
      const subject = await open();
      const { transport } = subject;
      const topic = await topicOf(transport, 2);
      const out = await topicOf(transport);
      const collector = collect(transport, { topics: [topic], group: 'g' });
      await until('both partitions', () => collector.consumer.state().assigned.length === 2);
      const resumesAt = Date.now() + 60;
      collector.consumer.pauseUntil(topic, 1, resumesAt);
      await transport.produce(['a', 'b'].map((value, partition) => ({ topic, partition, key: null, value })));
      const [a] = await collector.has(1);
      subject.breakWrites!(true);
      a!.carry({ kind: 'produce', record: { topic: out, key: null, value: 'kept' } });
      a!.settle('delivered');
      await until('the fault', () => collector.consumer.state().fault === 'disk_full');
      await expect(transport.produce([{ topic, key: null, value: 'd' }])).rejects.toMatchObject({ code: 'PS3002', category: 'transient' });
      await until('the end of the pause', () => Date.now() > resumesAt + 10);
      await turns();
      expect([collector.values, collector.consumer.state().inFlight]).toEqual([['a'], 1]);
      expect((await transport.committed('g', topic))[0]).toEqual({ partition: 0, offset: -1 });
      subject.breakWrites!(false);
      expect(await doorOf(a!)).toBe('delivered');
      await collector.has(2);
      expect(collector.consumer.state().fault).toBeUndefined();
      expect((await readAll(transport, out)).map(({ value }) => value!.toString())).toEqual(['kept']);
    });

    faults('starts when the disk has room again, even if it was full from the beginning', async () => {
      const subject = await open();
      const { transport } = subject;
      const topic = await topicOf(transport, 1, ['a']);
      subject.breakWrites!(true);
      const collector = collect(transport, { topics: [topic], group: 'g' });
      await until('the fault', () => collector.consumer.state().fault === 'disk_full');
      subject.breakWrites!(false);
      await collector.has(1);
    });

    it('closes with what is in flight released, even while nothing can be written', async () => {
      const subject = await make();
      const { transport } = subject;
      const topic = await topicOf(transport, 1, ['a', 'b']);
      const collector = collect(transport, { topics: [topic], group: 'g' });
      const [a, b] = await collector.has(2);
      subject.breakWrites?.(true);
      a!.settle('delivered');
      await turns();
      await subject.dispose();
      expect(b!.outcome).toBe('released');
      if (subject.breakWrites !== undefined) expect(a!.outcome).toBe('released');
      await expect(transport.produce([{ topic, key: null, value: 'x' }])).rejects.toMatchObject({ code: 'PS3001' });
    });

    it('starts a group with `from: latest` at the end', async () => {
      const { transport } = await open();
      const topic = await topicOf(transport, 1, ['old']);
      const collector = collect(transport, { topics: [topic], group: 'g', from: 'latest' });
      await until('the assignment', () => collector.consumer.state().assigned.length === 1);
      await transport.produce([{ topic, key: null, value: 'new' }]);
      await collector.has(1);
      expect(collector.values).toEqual(['new']);
    });

    it('keeps no more in flight than the credits by count', async () => {
      const { transport } = await open();
      const topic = await topicOf(transport, 1, ['0', '1', '2', '3', '4', '5']);
      const collector = collect(transport, { topics: [topic], group: 'g', credits: { count: 2, bytes: 1000 } });
      await collector.has(2);
      await turns();
      expect(collector.deliveries.length).toBe(2);
      expect(collector.consumer.state().inFlight).toBe(2);
      collector.deliveries[1]!.settle('delivered');
      await collector.has(3);
      await turns();
      expect(collector.deliveries.length).toBe(3);
    });

    it('keeps no more in flight than the credits by bytes, but lets one large record through', async () => {
      const { transport } = await open();
      const topic = await topicOf(transport, 1, ['x'.repeat(60), 'y'.repeat(60), 'z'.repeat(500)]);
      const collector = collect(transport, { topics: [topic], group: 'g', credits: { count: 10, bytes: 100 } });
      for (const count of [1, 2, 3]) {
        await collector.has(count);
        await turns();
        expect(collector.deliveries.length).toBe(count);
        collector.deliveries[count - 1]!.settle('delivered');
      }
    });

    it('writes what a claim carries when it ends, and nothing of it when it is released', async () => {
      const { transport } = await open();
      const topic = await topicOf(transport, 1, ['a', 'b']);
      const out = await topicOf(transport);
      const collector = collect(transport, { topics: [topic], group: 'g' });
      const [a, b] = await collector.has(2);
      const marks = transport.marks(fresh('seen'), { capacity: 10 });
      const store = `seen.${names}`;
      for (const delivery of [a!, b!]) {
        delivery.carry({ kind: 'produce', record: { topic: out, key: null, value: `from ${delivery.value.value!.toString()}` } });
        delivery.carry({ kind: 'mark', store, key: delivery.value.value!.toString(), expiresAt: Date.now() + 60_000 });
      }
      b!.settle('released');
      a!.settle('delivered');
      expect(await doorOf(a!)).toBe('delivered');
      expect((await readAll(transport, out)).map(({ value }) => value!.toString())).toEqual(['from a']);
      await until('the mark', () => marks.has('a', Date.now()));
      expect(marks.has('b', Date.now())).toBe(false);
      expect(marks.has('a', Date.now() + 61_000)).toBe(false);
    });

    it('writes what the parts of a fork carry once all parts have left', async () => {
      const { transport } = await open();
      const topic = await topicOf(transport, 1, ['a']);
      const out = await topicOf(transport);
      const collector = collect(transport, { topics: [topic], group: 'g' });
      const [whole] = await collector.has(1);
      const parts = whole!.fork(['1', '2']);
      for (const part of parts) part.carry({ kind: 'produce', record: { topic: out, key: null, value: part.value } });
      parts[0]!.settle('delivered');
      await turns();
      expect(await readAll(transport, out)).toEqual([]);
      parts[1]!.settle('filtered');
      expect(await doorOf(parts[1]!)).toBe('filtered');
      expect((await readAll(transport, out)).map(({ value }) => value!.toString())).toEqual(['1', '2']);
    });

    it('A3: hands a released record out again after a pause, and does not commit past it meanwhile', async () => {
      const { transport } = await open();
      const topic = await topicOf(transport, 1, ['a', 'b']);
      const collector = collect(transport, { topics: [topic], group: 'g' });
      const [a, b] = await collector.has(2);
      const before = Date.now();
      a!.settle('released');
      b!.settle('delivered');
      await doorOf(b!);
      expect((await transport.committed('g', topic))[0]!.offset).toBeLessThan(1);
      await collector.has(3);
      expect(Date.now() - before).toBeGreaterThan(900);
      expect(collector.values).toEqual(['a', 'b', 'a']);
      collector.deliveries[2]!.settle('delivered');
      await until('the commit', async () => (await transport.committed('g', topic))[0]!.offset === 2);
    });

    it('releases what fails when nobody handles failures, and asks the handler when there is one', async () => {
      const { transport } = await open();
      const topic = await topicOf(transport, 1, ['a']);
      const plain = collect(transport, { topics: [topic], group: 'g' });
      (await plain.has(1))[0]!.fail(new Error('no'));
      expect(await doorOf(plain.deliveries[0]!)).toBe('released');
      const failures: unknown[] = [];
      const handled = collect(transport, {
        topics: [topic],
        group: 'h',
        onFailure: (error, delivery) => {
          failures.push(error);
          delivery.settle('dead_lettered', 'broken');
        },
      });
      (await handled.has(1))[0]!.fail('no');
      expect(await doorOf(handled.deliveries[0]!)).toBe('dead_lettered');
      expect(failures).toEqual(['no']);
    });

    it('drains: hands out nothing more, waits for what is out, commits, completes', async () => {
      const { transport } = await open();
      const topic = await topicOf(transport, 1, ['a', 'b', 'c']);
      const collector = collect(transport, { topics: [topic], group: 'g', credits: { count: 2, bytes: 1000 } });
      const [a, b] = await collector.has(2);
      let drained = false;
      const promise = collector.consumer.drain().then(() => {
        drained = true;
      });
      a!.settle('delivered');
      await doorOf(a!);
      await turns();
      expect([drained, collector.deliveries.length]).toEqual([false, 2]);
      b!.settle('delivered');
      await promise;
      await collector.consumer.drain();
      expect([collector.completed, collector.deliveries.length]).toEqual([true, 2]);
      expect(await transport.committed('g', topic)).toEqual([{ partition: 0, offset: 2 }]);
    });

    it('releases what is in flight when unsubscribed, and ignores late settlements', async () => {
      const { transport } = await open();
      const topic = await topicOf(transport, 1, ['a', 'b']);
      const out = await topicOf(transport);
      const collector = collect(transport, { topics: [topic], group: 'g' });
      const [a, b] = await collector.has(2);
      a!.carry({ kind: 'produce', record: { topic: out, key: null, value: 'late' } });
      collector.unsubscribe();
      expect([a!.outcome, b!.outcome]).toEqual(['released', 'released']);
      a!.settle('delivered');
      const next = collect(transport, { topics: [topic], group: 'g' });
      await next.has(2);
      expect(next.values).toEqual(['a', 'b']);
      expect(await readAll(transport, out)).toEqual([]);
    });

    it('pauses one partition until a time; others and what is in flight go on', async () => {
      const { transport } = await open();
      const topic = await topicOf(transport, 2);
      const collector = collect(transport, { topics: [topic], group: 'g' });
      await until('both partitions', () => collector.consumer.state().assigned.length === 2);
      const resumesAt = Date.now() + 150;
      collector.consumer.pauseUntil(topic, 0, resumesAt);
      await transport.produce([0, 1].map((partition) => ({ topic, partition, key: null, value: `${partition}` })));
      await collector.has(1);
      expect(collector.values).toEqual(['1']);
      expect(collector.consumer.state().paused).toBe(1);
      await collector.has(2);
      expect(Date.now()).toBeGreaterThanOrEqual(resumesAt - 2);
    });

    it('spreads partitions over the members of a group, and gives them all to the last', async () => {
      const subject = await open();
      const { transport } = subject;
      const other = (await subject.again?.()) ?? transport;
      const topic = await topicOf(transport, 4);
      const one = collect(transport, { topics: [topic], group: 'g' });
      await until('all four', () => one.consumer.state().assigned.length === 4);
      const lost = one.consumer.state().assigned.map((assignment) => assignment.lost);
      const two = collect(other, { topics: [topic], group: 'g' });
      await until('two each', () => one.consumer.state().assigned.length === 2 && two.consumer.state().assigned.length === 2);
      expect(lost.filter((signal) => signal.aborted).length).toBe(2);
      const spread = [one, two].flatMap(({ consumer }) => consumer.state().assigned.map(({ partition }) => partition));
      expect(spread.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3]);
      await one.consumer.drain();
      await until('all four again', () => two.consumer.state().assigned.length === 4);
      await other.produce([0, 1, 2, 3].map((partition) => ({ topic, partition, key: null, value: `${partition}` })));
      await two.has(4);
      if (other !== transport) await other.close();
    });

    it('reads any topic without a group, from any offset, to its end of now', async () => {
      const { transport } = await open();
      const topic = await topicOf(transport, 1, ['a', 'b', 'c']);
      expect((await readAll(transport, topic, 0, 1)).map(({ offset }) => offset)).toEqual([1, 2]);
      expect(await readAll(transport, topic, 0, 3)).toEqual([]);
      expect(await transport.offsets(topic)).toEqual([{ partition: 0, start: 0, end: 3 }]);
      await expect(transport.offsets(fresh('nobody'))).rejects.toThrow('no topic');
    });

    it('creates topics once, grows their partitions, and keeps their identity', async () => {
      const { transport } = await open();
      const topic = await topicOf(transport, 2, ['a']);
      const identity = await transport.identity(topic);
      await transport.ensureTopics([{ name: topic, partitions: 1 }]);
      expect((await transport.offsets(topic)).length).toBe(2);
      await transport.ensureTopics([{ name: topic, partitions: 3 }]);
      expect((await transport.offsets(topic)).length).toBe(3);
      expect(await transport.identity(topic)).toBe(identity);
      const second = await topicOf(transport);
      expect(await transport.identity(second)).not.toBe(identity);
      expect((await transport.topics()).filter(({ name: known }) => known === topic)).toMatchObject([{ name: topic, partitions: 3 }]);
    });

    it('deletes what is past its retention, and goes on from what is left', async () => {
      const { transport } = await open();
      const topic = fresh('short');
      await transport.ensureTopics([{ name: topic, partitions: 1, retentionMs: 1000 }]);
      const now = Date.now();
      for (const age of [5000, 4000, 10]) await transport.produce([{ topic, key: null, value: `${age}`, timestamp: now - age }]);
      expect(await transport.enforceRetention(now)).toBe(2);
      expect(await transport.offsets(topic)).toEqual([{ partition: 0, start: 2, end: 3 }]);
      const collector = collect(transport, { topics: [topic], group: 'g' });
      await collector.has(1);
      expect(collector.values).toEqual(['10']);
      collector.deliveries[0]!.settle('delivered');
      await until('the commit', async () => (await transport.backlog('g', [topic])) === 0);
    });

    it('bounds a mark store by its capacity and counts what it evicts', async () => {
      const { transport } = await open();
      const store = fresh('seen');
      const marks = transport.marks(store, { capacity: 3 });
      const topic = await topicOf(transport, 1, ['a', 'b', 'c', 'd', 'e']);
      const collector = collect(transport, { topics: [topic], group: 'g' });
      for (const [index, delivery] of (await collector.has(5)).entries()) {
        delivery.carry({ kind: 'mark', store, key: delivery.value.value!.toString(), expiresAt: Date.now() + 60_000 + index });
        delivery.settle('delivered');
        await doorOf(delivery);
      }
      await until('the eviction', () => marks.stats().evicted === 2);
      expect(marks.stats().size).toBe(3);
      expect(['a', 'b', 'c', 'd', 'e'].filter((key) => marks.has(key, Date.now()))).toEqual(['c', 'd', 'e']);
    });

    it('refuses a record that no partition can hold, and releases the claim that carries it', async () => {
      const { transport } = await open();
      const topic = await topicOf(transport, 1, ['a']);
      await expect(transport.produce([{ topic, partition: 7, key: null, value: 'x' }])).rejects.toMatchObject({ category: 'permanent' });
      const collector = collect(transport, { topics: [topic], group: 'g' });
      const [a] = await collector.has(1);
      a!.carry({ kind: 'produce', record: { topic, partition: 7, key: null, value: 'x' } });
      a!.settle('delivered');
      expect(await doorOf(a!)).toBe('released');
    });

    it('goes on when a listener of a settled delivery throws', async () => {
      const { transport } = await open();
      const topic = await topicOf(transport, 1, ['a', 'b']);
      const collector = collect(transport, { topics: [topic], group: 'g' });
      const [a, b] = await collector.has(2);
      a!.whenSettled(() => {
        throw new Error('listener');
      });
      a!.settle('delivered');
      b!.settle('delivered');
      expect(await doorOf(b!)).toBe('delivered');
      await until('the commit', async () => (await transport.backlog('g', [topic])) === 0);
    });
  });
}
