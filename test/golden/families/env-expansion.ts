import { expandText } from '../../../src/config/environment.js';
import { same } from '../compare.js';
import { fields, wanted, type Family } from '../family.js';

export const family: Family = {
  name: 'env-expansion',
  check(vector) {
    const input = fields(vector.in);
    const { text, unresolved } = expandText(input['text'] as string, input['env'] as Readonly<Record<string, string>>);
    same({ text, unresolved: unresolved.length > 0 }, wanted(vector));
  },
};
