import { expect } from 'vitest';
import { factsOf, fieldsOf, xactEvent } from '../../../src/domains/xact/event.js';
import { same } from '../compare.js';
import { fields, list, wanted, type Family } from '../family.js';

export const family: Family = {
  name: 'xact-parse',
  check(vector) {
    const goal = fields(wanted(vector));
    const result = xactEvent.safeParse(fields(vector.in)['raw']);
    if (goal['error'] === true) {
      const wrong = result.error?.issues.map((issue) => String(issue.path[0]));
      expect(new Set(wrong)).toEqual(new Set(list(goal['fields'])));
      return;
    }
    const event = xactEvent.parse(fields(vector.in)['raw']);
    expect(event).toEqual(goal['wire']);
    const { data_dict_equals_wire_data: _, data_dict, ...derived } = fields(goal['derived']);
    same(factsOf(event), derived);
    // Content that is none has no members, whatever stands for it on the wire.
    if (data_dict === null) expect(fieldsOf(event.data)).toEqual({});
    else if (data_dict !== undefined) expect(event.data).toEqual(data_dict);
  },
};
