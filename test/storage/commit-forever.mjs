// Commits rows to a table until it is killed: `node commit-forever.mjs MODULE DIRECTORY APP MODE`. Prints each version that was acknowledged.
import process from 'node:process';

const [, , module, directory, appId, mode] = process.argv;
const { openTable } = await import(module);
const schema = {
  name: 'killed',
  about: 'Written by processes that are killed.',
  columns: ['id', 'writer'].map((name) => ({ name, type: 'text', about: name })),
  partitionBy: ['writer'],
  mode,
  key: mode === 'append' ? [] : ['id'],
  preserveOnUpdate: [],
};
const table = await openTable({ directory, schema, checkpointEvery: 5 });
for (;;) {
  const next = (await table.txn(appId)) ?? 0;
  // a mode with a key replays the batch before as well: its rows must not come twice
  const first = mode === 'append' ? next : Math.max(0, next - 3);
  const rows = Array.from({ length: next + 3 - first }, (_, i) => ({ id: `${appId} ${String(first + i)}`, writer: appId }));
  await table.commit({ rows, txns: [{ appId, version: next + 3, after: next === 0 ? undefined : next }] });
  process.stdout.write(`${String(next + 3)}\n`);
}
