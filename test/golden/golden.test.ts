import { describe, expect, it } from 'vitest';
import { CORPUS, readFamilies, readVectors, vectorFolder } from './vectors.js';

const families = await readFamilies();
const all = readVectors(vectorFolder());
const files = all.filter((file) => !file.family.startsWith(CORPUS));
const asked = process.env['PENSTOCK_GOLDEN_DIR'] !== undefined;

let tests = 0;
if (all.length === 0) it('the folder has vectors', () => expect.unreachable(`no vectors in ${vectorFolder()}`));

for (const file of files) {
  const family = families.get(file.family);
  const vectors = file.vectors.filter((vector) => vector.incidental !== true && family?.skip?.(vector) === undefined);
  if (family === undefined) {
    // A foreign folder may hold what this repository does not check; its own vectors all have a check.
    if (!asked) it(`${file.family} has a check`, () => expect.unreachable(`no family checks ${file.family}`));
  } else if (vectors.length + file.unreadable.length > 0) {
    describe(file.family, () => {
      for (const line of file.unreadable) it(`line ${line}`, () => expect.unreachable(`line ${line} is no JSON object`));
      for (const vector of vectors) it(vector.id, async () => family.check(vector, file.context));
    });
    tests += 1;
  }
}
// A file without a test is an error of the runner, a folder of families that nobody checks here is none.
if (tests === 0 && all.length > 0 && asked) it.skip('nothing of this is checked here');
