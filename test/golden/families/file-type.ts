import { judgeFile } from '../../../src/http/content-rules.js';
import { superset } from '../compare.js';
import { fields, wanted, type Family } from '../family.js';

export const family: Family = {
  name: 'file-type',
  check(vector) {
    const input = fields(vector.in);
    const verdict = judgeFile(input['name_or_url'] as string, (input['content_type'] as string | null) ?? undefined);
    superset({ ...verdict, extension: verdict.extension ?? null }, wanted(vector));
  },
};
