// Opens the log of a data directory and stops itself in the middle of a write, holding up every other writer.
import { join } from 'node:path';
import { open } from 'lmdb';

const root = open({
  path: join(process.argv[2], 'log'),
  maxDbs: 12,
  pageSize: 8192,
  encoding: 'binary',
  keyEncoding: 'binary',
  cache: false,
  overlappingSync: false,
  eventTurnBatching: false,
});
const meta = root.openDB({ name: 'meta', encoding: 'binary', keyEncoding: 'binary', cache: false });
await root.childTransaction(() => {
  void meta.put(Buffer.from('held'), Buffer.from('1'));
  process.stdout.write('holding\n');
  process.kill(process.pid, 'SIGSTOP');
});
await root.close();
process.stdout.write('done\n');
