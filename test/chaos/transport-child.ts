/*
 * A process that uses the log until it is killed. It says on standard output what it may rely on, a line at a time:
 *   ready · a <value> (produced, durable) · d <value> (handed out) · s <value> (settled, durable) · f <fault or none>
 */
import { writeSync } from 'node:fs';
import { openEmbedded } from '../../src/transport/embedded/index.js';

const [directory = '', mode = '', name = ''] = process.argv.slice(2);

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

const transport = await openEmbedded({ directory, releaseMs: 50, handoverMs: 200, retryMs: 50 });
say('ready');

async function produce(): Promise<void> {
  let next = 0;
  for (;;) {
    const values = Array.from({ length: 1 + (next % 37) }, () => `${name}-${next++}`);
    try {
      await transport.produce(values.map((value) => ({ topic: 'in', key: value, value: value.padEnd(200, '.') })));
      say(values.map((value) => `a ${value}`).join('\n'));
    } catch (error) {
      // The full disk is what one of the tests is about: the values may not count as written.
      say(`f ${(error as { readonly code?: string }).code ?? 'unknown'}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function work(): void {
  const consumer = transport.consume({ topics: ['in'], group: 'g', credits: { count: 64, bytes: 1_000_000 } });
  consumer.deliveries$.subscribe((delivery) => {
    const value = delivery.value.value!.toString().replace(/\.+$/, '');
    say(`d ${value}`);
    setTimeout(() => {
      delivery.whenSettled((outcome) => {
        if (outcome === 'delivered') say(`s ${value}`);
      });
      delivery.carry({ kind: 'produce', record: { topic: 'out', key: value, value } });
      delivery.carry({ kind: 'mark', store: 'seen', key: value, expiresAt: Date.now() + 3_600_000 });
      delivery.settle(Math.random() < 0.05 ? 'released' : 'delivered');
    }, Math.random() * 20);
  });
  let last = 'none';
  setInterval(() => {
    const fault = consumer.state().fault ?? 'none';
    if (fault !== last) say(`f ${fault}`);
    last = fault;
  }, 5);
}

if (mode === 'produce') await produce();
else work();
