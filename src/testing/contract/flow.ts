import { expect, it } from 'vitest';
import { doorOf, turns, until } from './collector.js';
import { fresh, type Bench } from './bench.js';

/** How deliveries flow: order, credits, pauses, drains, the members of a group. */
export function flowTests({ collect, open, readAll, topicOf }: Bench): void {
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

  it('starts a group with `from: latest` at the end', async () => {
    const { transport } = await open();
    const topic = await topicOf(transport, 1, ['old']);
    const collector = collect(transport, { topics: [topic], group: 'g', from: 'latest' });
    await until('the assignment', () => collector.consumer.state().assigned.length === 1);
    await transport.produce([{ topic, key: null, value: 'new' }]);
    await collector.has(1);
    expect(collector.values).toEqual(['new']);
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
}
