/*
 * A worker process for the chaos suite: copies `in` to `out`, in order of each key. It says on standard output what may be relied on, a line at a time:
 *   ready · d <value> (handed out) · s <value> (settled, durable) · f <fault or none> · w <warning> · drained
 */
import { existsSync, writeSync } from 'node:fs';
import { tap } from 'rxjs';
import { inLanes } from '../../operators/index.js';
import { openKafka } from '../../src/transport/kafka/index.js';
import type { LogRecord } from '../../src/transport/transport.js';

const [brokers = '', group = '', mostMs = '10', sinkIsDead = ''] = process.argv.slice(2);

let lines = '';
function say(line: string): void {
  lines += `${line}\n`;
  // What is said together is written together, and before anything that follows from it.
  if (lines.length === line.length + 1) queueMicrotask(flush);
}
function flush(): void {
  const text = lines;
  lines = '';
  writeSync(1, text);
}

const transport = await openKafka({
  brokers: brokers.split(','),
  sessionTimeoutMs: 6000,
  heartbeatMs: 500,
  metadataMaxAgeMs: 5000,
  onWarning: (error) => say(`w ${error.message.replaceAll('\n', ' ')}`),
});
const consumer = transport.consume({ topics: ['in'], group, credits: { count: 200, bytes: 1_000_000 } });
consumer.deliveries$
  .pipe(
    tap((delivery) => say(`d ${delivery.value.value!.toString().trimEnd()}`)),
    inLanes<LogRecord>({ key: ({ key }) => key?.toString() ?? '' }),
  )
  .subscribe((delivery) => {
    const work = (): void => {
      if (sinkIsDead !== '' && existsSync(sinkIsDead)) {
        setTimeout(work, 100);
        return;
      }
      delivery.whenSettled((outcome) => {
        if (outcome !== 'released') say(`s ${delivery.value.value!.toString().trimEnd()}`);
      });
      delivery.carry({ kind: 'produce', record: { topic: 'out', key: delivery.value.key, value: delivery.value.value } });
      delivery.settle('delivered');
    };
    setTimeout(work, Math.random() * Number(mostMs));
  });
let last = 'none';
setInterval(() => {
  const fault = consumer.state().fault ?? 'none';
  if (fault !== last) say(`f ${fault}`);
  last = fault;
}, 20);
process.once('SIGTERM', () => {
  void consumer.drain().then(async () => {
    await transport.close();
    say('drained');
    flush();
    process.exit(0);
  });
});
say('ready');
