import { expect, it } from 'vitest';
import type { Progress } from '../../../src/transport/ledger.js';
import type { PartitionName } from '../../../src/transport/log-store.js';
import { Assignments } from '../../../src/transport/kafka/assignments.js';
import { Intake } from '../../../src/transport/kafka/intake.js';
import { nameOf } from '../../../src/transport/balance.js';
import { turns, until } from '../collector.js';

const NOTHING = new Uint8Array(0);

/** A member that is given three partitions of 10 records, in which the group stands at 4. */
async function bench() {
  const stands = [0, 1, 2].map((partition) => ({ topic: 't', partition, offset: 4, beyond: NOTHING }));
  const names = new Map<string, Progress & PartitionName>(stands.map((each) => [nameOf(each), each]));
  const warnings: string[] = [];
  const kept: string[] = [];
  const bounds = [0, 1, 2].map((partition) => ({ partition, start: 0, end: 10 }));
  const ids = new Map<string, string | undefined>([['t', 'one']]);
  const intake = new Intake({
    settings: { readAhead: { records: 10, bytes: 1000 }, fetchWaitMs: 10 },
    directory: { offsets: () => Promise.resolve(bounds), topicIds: () => Promise.resolve(ids) },
    session: () => undefined,
    arrived: () => undefined,
    cut: () => undefined,
    madeAnew: () => undefined,
    removed: () => undefined,
    overwritten: () => undefined,
    lost: () => undefined,
  });
  const assignments = new Assignments({
    group: 'g',
    from: 'earliest',
    intake,
    directory: {
      progress: () => Promise.resolve(names),
      offsetsOf: () => Promise.resolve(new Map([['t', bounds]])),
      topicIds: () => Promise.resolve(ids),
    },
    marks: { restore: () => Promise.resolve() },
    session: () => undefined,
    made: () => undefined,
    checked: () => undefined,
    begun: () => undefined,
    changed: () => undefined,
    failed: () => undefined,
    pause: () => Promise.resolve(),
    keep: (places) => {
      kept.push(...places.map(({ partition, progress }) => `${partition} at ${progress.offset}`));
      return Promise.resolve();
    },
    onWarning: (error) => warnings.push(error.message),
  });
  assignments.make(stands, false);
  await until('a beginning', () => intake.all.length === 3);
  const at = () => intake.all.map(({ partition, progress }) => `${partition} at ${progress.offset}`).toSorted();
  const held = (partition: number) => intake.of({ topic: 't', partition })!;
  return { assignments, intake, names, bounds, ids, warnings, kept, at, held };
}

it('several partitions that are cut at the same time all begin anew', async () => {
  const { assignments, at, held } = await bench();
  for (const partition of [0, 1, 2]) assignments.cut(held(partition), 8);
  expect(at()).toEqual([]);
  await turns();
  expect(at()).toEqual(['0 at 4', '1 at 4', '2 at 4']);
});

it('what the client has committed in place of ours does not bring back what has left, when a log was cut', async () => {
  const { assignments, names, held, at, bounds } = await bench();
  held(1).stands = { offset: 6, beyond: NOTHING };
  Object.assign(bounds[1]!, { end: 8 });
  names.set(nameOf({ topic: 't', partition: 1 }), { topic: 't', partition: 1, offset: 0, beyond: NOTHING });
  assignments.cut(held(1), 8);
  await turns();
  expect(at()).toEqual(['0 at 4', '1 at 6', '2 at 4']);
});

it('a topic that was made anew is noticed when its partitions are spread anew', async () => {
  const { assignments, ids, at, warnings } = await bench();
  ids.set('t', 'two');
  assignments.make(
    [0, 1].map((partition) => ({ topic: 't', partition })),
    true,
  );
  await turns();
  expect(at()).toEqual(['0 at 0', '1 at 0']);
  expect(warnings).toEqual(['topic t was made anew: it is read from its start']);
});

it('what nobody reads any more does not begin again', async () => {
  const { assignments, at } = await bench();
  assignments.leave(['t']);
  assignments.madeAnew('t');
  await turns();
  expect(at()).toEqual([]);
});

it('where a topic begins that was made anew is committed before anything of it is handed out', async () => {
  const { assignments, intake, kept, at } = await bench();
  expect(kept).toEqual([]);
  assignments.madeAnew('t');
  await until('a beginning', () => intake.all.length === 3);
  expect(kept).toEqual(at());
  expect(at()).toEqual(['0 at 0', '1 at 0', '2 at 0']);
});
