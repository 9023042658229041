import { expect, it } from 'vitest';
import { doorOf, turns, until } from './collector.js';
import { type Bench } from './bench.js';

/** What a log that takes no writes does. */
export function faultTests({ collect, lacking, make, open, readAll, topicOf }: Bench): void {
  const faults = it.skipIf(lacking.includes('faults'));

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
}
