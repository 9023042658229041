import fc from 'fast-check';
import { expect, it } from 'vitest';
import { doorOf, turns, until } from './collector.js';
import { fresh, type Bench } from './bench.js';

/** What settling a delivery does: commits, carried records and marks, releases, restarts. */
export function settlingTests({ collect, open, readAll, topicOf }: Bench): void {
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

  it('A10: goes on where the group stopped', async () => {
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
        await transport.produce(Array.from({ length: 20 }, (_, index) => ({ topic, partition: index % 2, key: null, value: `${index}` })));
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

  it('writes what a claim carries when it ends, and nothing of it when it is released', async () => {
    const { transport } = await open();
    const topic = await topicOf(transport, 1, ['a', 'b']);
    const out = await topicOf(transport);
    const collector = collect(transport, { topics: [topic], group: 'g' });
    const [a, b] = await collector.has(2);
    const store = fresh('seen');
    const marks = transport.marks(store, { capacity: 10 });
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

  it('remembers what the last mark of a key says, also for who comes later, until one that has expired forgets it', async () => {
    const { transport, again } = await open();
    const topic = await topicOf(transport, 1, ['a', 'b', 'c']);
    const store = fresh('said');
    const marks = transport.marks(store, { capacity: 10 });
    const expiresAt = Date.now() + 60_000;
    const collector = collect(transport, { topics: [topic], group: 'g' });
    const [a, b, c] = await collector.has(3);
    a!.carry({ kind: 'mark', store, key: 'k', expiresAt, value: 'one' });
    a!.settle('delivered');
    await doorOf(a!);
    expect(marks.get('k', Date.now())).toEqual({ expiresAt, value: 'one' });
    b!.carry({ kind: 'mark', store, key: 'k', expiresAt, value: 'two, ü' });
    b!.carry({ kind: 'mark', store, key: 'silent', expiresAt });
    b!.settle('delivered');
    await doorOf(b!);
    expect(marks.get('k', Date.now())).toEqual({ expiresAt, value: 'two, ü' });
    expect(marks.get('silent', Date.now())).toEqual({ expiresAt, value: '' });
    expect(marks.get('k', expiresAt)).toBeUndefined();
    const other = await again?.();
    if (other !== undefined) {
      const seen = other.marks(store, { capacity: 10 });
      const [later] = await collect(other, { topics: [topic], group: 'of the other' }).has(1);
      expect(seen.get('k', Date.now())).toEqual({ expiresAt, value: 'two, ü' });
      later!.settle('released');
      await other.close();
    }
    c!.carry({ kind: 'mark', store, key: 'k', expiresAt: 0, value: 'gone' });
    c!.settle('delivered');
    await doorOf(c!);
    expect(marks.get('k', Date.now())).toBeUndefined();
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
}
