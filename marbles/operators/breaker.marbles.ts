import { describe, it } from 'vitest';
import { breaker, CircuitBreaker, callEach, type Delivery } from '../../operators/index.js';
import { marbles } from '../../src/testing/index.js';

const failing =
  (letters: string, error: unknown = new Error('down')) =>
  (delivery: Delivery<unknown>): void => {
    if (letters.includes(String(delivery.value))) delivery.fail(error);
    else delivery.settle('delivered');
  };
const nine = { failureThreshold: 2, successThreshold: 1, openMs: 9 };
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

describe('breaker', () => {
  it('stops sending items on when too many in a row failed, and tries again after a while', () =>
    marbles(
      breaker(nine),
      `
      in      abc-------------|
      out     ab--------c-----|
      failed  ab---------------
      `,
      { sink: failing('ab') },
    ));

  it('lets pass what goes well', () => marbles(breaker(nine), { in: 'abc|', out: 'abc|' }));
  it('completes when nothing comes', () => marbles(breaker(nine), { in: '|', out: '|' }));
  it('waits with a source that never ends', () => marbles(breaker(nine), { in: 'a-', out: 'a-' }));
  it('lets those that wait go on before it completes', () =>
    marbles(breaker(nine), { in: 'abc|', out: 'ab--------(c|)', failed: 'ab' }, { sink: failing('ab') }));
  it('releases those that wait at an early unsubscribe', () =>
    marbles(breaker(nine), { in: 'abcd-|', sub: '^---!', out: 'ab', failed: 'ab', released: '----(cd)' }, { sink: failing('ab') }));
  it('releases those that wait when the source fails, and hands the error on', () =>
    marbles(breaker(nine), { in: 'abc#', out: 'ab-#', failed: 'ab', released: '---c' }, { sink: failing('ab') }));
  it('opens again at the first failure of a trial', () =>
    marbles(
      breaker(nine),
      { in: 'abcd--------------------|', out: 'ab--------c--------d----|', failed: 'ab--------c' },
      { sink: failing('abc') },
    ));
  it('does not count permanent failures', () =>
    marbles(breaker(nine), { in: 'abc|', out: 'abc|', failed: 'ab' }, { sink: failing('ab', { category: 'permanent' }) }));
  it('does not count auth failures, unless told to', async () => {
    await marbles(breaker(nine), { in: 'abc|', out: 'abc|', failed: 'ab' }, { sink: failing('ab', { category: 'auth' }) });
    await marbles(
      breaker({ ...nine, ignoreAuth: false }),
      { in: 'abc|', out: 'ab--------(c|)', failed: 'ab' },
      { sink: failing('ab', { category: 'auth' }) },
    );
  });
  it('B14: gives the place of a trial back, however it ends', () =>
    marbles(
      (source) =>
        source.pipe(
          breaker<string>({ ...nine, successThreshold: 2, halfOpenMax: 1 }),
          callEach((value: string) => {
            if (value === 'a' || value === 'b') throw new Error('down');
            if (value === 'c') throw Object.assign(new Error('gone'), { category: 'permanent' });
            return sleep(2);
          }),
        ),
      { in: 'abcde-----------|', out: '------------d-e-|', failed: 'ab--------c' },
    ));
  it('fails at once while it is open, when told to', () =>
    marbles(
      breaker({ ...nine, whenOpen: 'fail' }),
      { in: 'abc--|', out: 'ab---|', failed: 'abc' },
      { sink: failing('ab'), reasons: { c: /open for another 8 ms/ } },
    ));
  it('fails what comes when there is no more room to wait', () =>
    marbles(breaker({ ...nine, maxHeld: 1 }), { in: 'abcd--------|', out: 'ab--------c-|', failed: 'ab-d' }, { sink: failing('ab') }));
  it('shares a circuit with others that ask the same side', () => {
    const circuit = new CircuitBreaker(nine);
    circuit.failed(0, 'transient');
    circuit.failed(0, 'transient');
    return marbles(breaker({ circuit }), { in: 'a-|', out: '---------(a|)' });
  });
});
