import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sealing } from '../../src/runtime/sealing.js';

const webhook = (params: Readonly<Record<string, unknown>>) => ({ type: 'http_webhook', params });
const variables = { TOKEN: 's3cret-token', LONGER: 's3cret-token-and-more', SHORT: 'abc', HOOK: 'https://hooks.example.com/T0/$&/x' };

describe('sealing', () => {
  it('G6: names variables instead of their values in addresses and headers, and puts the values back', () => {
    const action = webhook({
      url: variables.HOOK,
      method: 'POST',
      headers: { Authorization: `Bearer ${variables.TOKEN}`, 'X-Key': variables.LONGER, 'X-Plain': 'abc' },
      body: { text: variables.TOKEN },
    });
    const sealed = sealing(variables).seal(action);
    expect(sealed).toEqual({
      action: webhook({
        url: '${HOOK}',
        method: 'POST',
        headers: { Authorization: 'Bearer ${TOKEN}', 'X-Key': '${LONGER}', 'X-Plain': 'abc' },
        body: { text: variables.TOKEN },
      }),
      names: ['HOOK', 'TOKEN', 'LONGER'],
    });
    expect(sealing(variables).open(sealed)).toEqual(action);
  });

  it('a variable that is set anew has its new value; one that is gone is told', () => {
    const sealed = sealing(variables).seal(webhook({ headers: { Authorization: variables.TOKEN } }));
    expect(sealing({ TOKEN: 'another-token' }).open(sealed)).toEqual(webhook({ headers: { Authorization: 'another-token' } }));
    expect(() => sealing({}).open(sealed)).toThrow(expect.objectContaining({ code: 'PS1301', category: 'transient' }) as Error);
  });

  it('leaves alone what looks like a reference and is none, and actions of other kinds', () => {
    const written = webhook({ url: 'https://x.example.com/${TOKEN}' });
    expect(sealing(variables).open(sealing(variables).seal(written))).toEqual(written);
    const publish = { type: 'publish_to_topic', params: { headers: { a: variables.TOKEN } } };
    expect(sealing(variables).seal(publish)).toEqual({ action: publish, names: [] });
  });

  it('is undone by opening, whatever the values are', () => {
    const text = fc.string({ minLength: 8 }).filter((value) => !value.includes('${'));
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[A-Z]{1,3}$/), text), fc.array(fc.string()), (values, parts) => {
        const headers = Object.fromEntries([...parts, ...Object.values(values)].map((part, at) => [`h${at}`, `${part} ${at}`]));
        const action = webhook({ url: Object.values(values).join('/'), headers });
        fc.pre(!JSON.stringify(action).includes('${'));
        const sealed = sealing(values).seal(action);
        expect(sealing(values).open(sealed)).toEqual(action);
      }),
    );
  });
});
