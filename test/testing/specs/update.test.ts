import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runCase, updatedSpec } from '../../../src/testing/specs/index.js';
import { opened } from './folder.js';

/** The text after what was received is written back, and what could not be. */
async function updated(text: string) {
  const { spec, configurations } = await opened(text);
  expect(spec.diagnostics).toEqual([]);
  const results = [];
  for (const one of spec.cases) results.push(await runCase(one, { configurations }));
  return updatedSpec(spec, results);
}

const text = (cases: string) => `# a comment stays
config:   rules.yaml   # and so does this
stage: result_process
messages: { e: { file_type: esx }, p: {}, f: { status: failed_permanent, retry_count: 5 } }

cases:
${cases}`;

describe('what was received is written back', () => {
  it('in the place of lane texts, in their form, and nothing else changes', async () => {
    const before = text(`  - name: all forms   # kept
    in: 'e-f|'
    expect:
      out:            "p|"          # double
      publish esx:    pp            # plain
      publish alerts: { marbles: 'f' , tolerance: 1ms }
  - {name: flow, in: 'p|', expect: {out: 'pp|'}}
`);
    const { text: after, lanes, left } = await updated(before);
    expect(left).toEqual([]);
    expect(lanes).toBe(4);
    expect(after).toBe(
      before
        .replace('"p|"', '"e-f|"')
        .replace('pp            #', 'e            #')
        .replace("marbles: 'f'", "marbles: '--f'")
        .replace("'pp|'", "'p|'"),
    );
    expect((await updated(after)).text).toBe(after);
  });

  it('as lanes that were not drawn, behind those that are', async () => {
    const before = text(`  - name: block
    in: 'ef|'
    expect:
      out: 'ef|'   # all

  - name: flow
    in: 'ef|'
    expect: { out: 'ef|' }
  - name: none
    in: 'p|'
`);
    // That a chain came to its end is expected only where what comes out is drawn, and so is seen the second time.
    const { text: after } = await updated((await updated(before)).text);
    expect(after).toBe(
      text(`  - name: block
    in: 'ef|'
    expect:
      out: 'ef|'   # all
      publish esx: 'e'
      publish alerts: '-f'

  - name: flow
    in: 'ef|'
    expect: { out: 'ef|', publish esx: 'e', publish alerts: '-f' }
  - name: none
    in: 'p|'
    expect:
      out: 'p|'
`),
    );
    expect((await updated(after)).lanes).toBe(0);
  });

  it('not where an anchor shares it with another case: that one would be changed as well', async () => {
    const before = text(`  - name: shares
    in: 'e|'
    expect: &both { out: 'e|' }
  - name: borrows
    in: 'e|'
    expect: *both
  - name: one lane
    in: 'p|'
    expect: { out: &pp 'pp|' }
  - name: that lane
    in: 'pp|'
    expect: { out: *pp }
`);
    const { text: after, left } = await updated(before);
    expect(after).toBe(before);
    expect(left).toEqual([
      expect.stringMatching(/lane "publish esx" is not added: expect is shared by an anchor$/),
      expect.stringMatching(/lane "publish esx" is not added: expect is shared by an anchor$/),
      expect.stringMatching(/lane "out" stays: its text is a block, or shared by an anchor$/),
    ]);
  });

  it('with line ends as they are, and signs that need quotes in quotes', async () => {
    const before = text('  - name: a pause\n    in: e 50ms p|\n    expect:\n      out: p\n').replaceAll('\n', '\r\n');
    const { text: after } = await updated(before);
    expect(after).toBe(before.replace('out: p', 'out: e 50ms p|').replace(/\r\n$/, "\r\n      publish esx: 'e'\r\n"));
  });

  it('not where marbles cannot say it: something a millisecond after a group, and what no letter stands for', async () => {
    const close = text(`  - name: too close
    in: '(ee) 6ms |'
    mocks: { publish esx: [1ms ok, 2ms ok] }
    expect: { out: '(ee) 6ms |', publish esx: '(ee)', delivered: 'ee' }
`);
    const written = await updated(close);
    expect(written.text).toBe(close.replace("esx: '(ee)'", "esx: 'ee'").replace("delivered: 'ee'", "delivered: '-e-e'"));
    const inGroup = text(`  - name: in the group
    in: '(efg) 6ms |'
    messages: { g: { $like: f } }
    mocks: { publish esx: 1ms ok, publish alerts: [1ms ok, 2ms ok] }
    expect: { out: '(efg) 6ms |', publish esx: 'e', publish alerts: '(fg)', delivered: 'e' }
`);
    const { left, text: after } = await updated(inGroup);
    expect(left).toEqual(['a.marbles.yaml:7:11  lane "delivered" stays: what came at 2 ms falls into the group before it']);
    expect(after).toBe(inGroup);
  });

  it('so that any case holds afterwards, and nothing but its lanes has changed', async () => {
    const lane = fc.array(fc.constantFrom('e', 'f', 'p', '-', '(ef)', ' 30ms ', '---'), { maxLength: 6 }).map((parts) =>
      parts
        .join('')
        .trim()
        .replaceAll(/(^| )30ms$/g, ''),
    );
    const form = fc.constantFrom(
      (marbles: string) => `'${marbles}'`,
      (marbles: string) => JSON.stringify(marbles),
      (marbles: string) => `{ marbles: '${marbles}', unordered: false }`,
    );
    const written = fc.record({
      // A case in which nothing enters and nothing is drawn says nothing, which no lane can mend.
      source: lane.filter((marbles) => /[efp]/.test(marbles)),
      lanes: fc.dictionary(fc.constantFrom('out', 'publish esx', 'publish alerts', 'delivered'), fc.tuple(lane, form)),
    });
    await fc.assert(
      fc.asyncProperty(written, async ({ source, lanes }) => {
        const expected = Object.entries(lanes).map(([name, [marbles, write]]) => `      ${name}: ${write(marbles)}   # kept`);
        const before = text(
          `  - name: any\n    in: '${source}|'\n    expect:${expected.length === 0 ? ' {}' : `\n${expected.join('\n')}`}\n    # the end\n`,
        );
        let after = before;
        let left: readonly string[] = [];
        for (let round = 0, lanes = 1; lanes > 0 && round < 3; round += 1) ({ text: after, lanes, left } = await updated(after));
        expect(left).toEqual([]);
        const { spec, configurations } = await opened(after);
        const result = await runCase(spec.cases[0]!, { configurations });
        expect(result.problems.map((problem) => problem.text)).toEqual([]);
        const comments = (file: string) => file.split('\n').filter((line) => !line.includes('kept') && !/^ {6}|^ {4}expect:/.test(line));
        expect(comments(after)).toEqual(comments(before));
        expect(after.split('# kept')).toHaveLength(before.split('# kept').length);
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});
