import { of } from 'rxjs';
import { expect, it } from 'vitest';
import { deliveries, values } from 'penstock/operators';
import { act, chain, contexts, defineOpenPlugin, filter, messages, performActions, publish, z } from 'penstock/plugin';

it('runs', () => {
  const left: unknown[] = [];
  const out: unknown[] = [];
  const sent: unknown[] = [];
  const f = defineOpenPlugin({
    name: 'f',
    version: '1.0.0',
    summary: 'x',
    reads: messages<{ n: number }>(),
    config: z.strictObject({ max: z.int().default(3) }),
    create:
      ({ config }) =>
      ({ message }) =>
        message.n > config.max ? filter('big') : undefined,
  });
  const p = defineOpenPlugin({
    name: 'p',
    version: '1.0.0',
    summary: 'x',
    reads: messages<{ n: number }>(),
    create:
      () =>
      ({ message }) =>
        act(publish('t', message)),
  });
  of({ n: 1 }, { n: 5 })
    .pipe(
      deliveries({ onLeft: (v, outcome, reason) => left.push([v.n, outcome, reason]) }),
      contexts({ domain: 'd', stage: 's', event_id: (m: { n: number }) => String(m.n) }),
      chain(f({ max: 2 }), p()),
      performActions({
        publish: (a) => {
          sent.push(a);
        },
      }),
      values(),
    )
    .subscribe((v) => out.push(v.message.n));
  expect(left).toEqual([
    [1, 'delivered', undefined],
    [5, 'filtered', 'f: big'],
  ]);
  expect(out).toEqual([1]);
  expect(sent).toMatchObject([{ params: { topic: 't', key: '1' } }]);
});
