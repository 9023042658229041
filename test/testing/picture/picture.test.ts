import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { filterOut } from '../../../operators/index.js';
import { playMarbles } from '../../../src/testing/index.js';
import { type Drawing, drawingOf, type DrawnMark, meaningsOf, renderMarbles, timelineText } from '../../../src/testing/picture/index.js';
import { LANES, MARBLES, PARTS } from '../../../src/testing/picture/palette.js';
import { timeScale } from '../../../src/testing/picture/time-scale.js';

const mark = (frame: number, symbol: string): DrawnMark => {
  return { frame, symbol, kind: symbol === '|' ? 'complete' : symbol === '#' ? 'error' : 'next' };
};
const drawing = (lanes: Readonly<Record<string, readonly DrawnMark[]>>, rest: Partial<Drawing> = {}): Drawing => {
  return { title: 'a case', lanes: Object.entries(lanes).map(([name, marks]) => ({ name, marks })), ...rest };
};
const widthOf = (svg: string): number => Number(/ width="(\d+)"/.exec(svg)![1]);
const heightOf = (svg: string): number => Number(/ height="(\d+)"/.exec(svg)![1]);

describe('a picture of marbles', () => {
  it('is drawn from a play, with what enters above the subject and what comes of it below', async () => {
    const play = await playMarbles(
      filterOut<string>((value) => value === 'b'),
      { in: 'ab-|', out: 'a--|', filtered: '-b' },
    );
    const svg = renderMarbles(play, { title: 'lets a pass', subject: 'filterOut' });
    const order = ['in', 'filterOut', 'out', 'filtered'].map((name) => svg.search(new RegExp(`>${name}<`)));
    expect(order.every((place, at) => place > (order[at - 1] ?? 0))).toBe(true);
    expect(svg).toContain('<title id="');
    expect(svg).toContain('>lets a pass</title>');
    expect(svg.match(/<circle class="c\d" cx="[\d.]+" cy="[\d.]+" r="12"/g)).toHaveLength(4);
    expect(svg.match(/class="e"/g)).toHaveLength(2);
  });

  it('is the same for the same drawing, and another for another', () => {
    const one = drawing({ in: [mark(0, 'a')] });
    expect(renderMarbles(one)).toBe(renderMarbles(structuredClone(one)));
    expect(renderMarbles(drawing({ in: [mark(1, 'a')] }))).not.toBe(renderMarbles(one));
  });

  it('reads its timeline to those who do not see it', () => {
    const lanes = { in: [mark(0, 'a'), mark(2, 'b'), mark(2, '|')], out: [mark(1, '#')], log: [] };
    const shown = drawing(lanes, { listening: { from: 0, until: 9 }, letters: { a: 'status: closed' } });
    const text =
      'in: a at 0 ms, b and the end at 2 ms. out: an error at 1 ms. log: nothing. Subscribed at 0 ms, left at 9 ms. a is status: closed.';
    expect(timelineText(shown)).toBe(text);
    const svg = renderMarbles(shown);
    const [, title, desc] = /role="img" aria-labelledby="(\w+) (\w+)"/.exec(svg)!;
    expect(svg).toContain(`<title id="${title}">a case</title>`);
    expect(svg).toContain(`<desc id="${desc}">${text}</desc>`);
  });

  it('holds no text as markup', () => {
    const svg = renderMarbles(
      drawing({ 'publish <b>&': [mark(0, '<')] }, { title: '</title>"&', subject: '<script>', letters: { '<': '<i>' } }),
    );
    expect(svg.replaceAll(/<(?:\/?(?:svg|title|desc|style|rect|text|tspan|path|circle)\b[^<>]*)>/g, '')).not.toMatch(/[<>]/);
    expect(svg).not.toMatch(/&(?!amp;|lt;|gt;)/);
  });

  it('has light and dark, each with all colours that are used, and touches nothing outside of it', () => {
    const svg = renderMarbles(drawing({ in: [mark(0, 'a'), mark(2, 'b'), mark(4, 'c')], failed: [mark(1, 'a')] }));
    const [, style] = /<style>(.*)<\/style>/s.exec(svg)!;
    const [light, dark] = style!.split('@media(prefers-color-scheme:dark)');
    for (const used of new Set([...svg.matchAll(/class="(?:t )?(c\d|d-\w+)"/g)].map(([, name]) => name!))) {
      expect(light, used).toContain(`.marbles .${used}{fill:`);
      expect(dark, used).toContain(`.marbles .${used}{fill:`);
    }
    const selectors = [...style!.matchAll(/([^{}]+)\{[^{}]*\}/g)].flatMap(([, selector]) => selector!.split(','));
    expect(selectors.length).toBeGreaterThan(20);
    expect(selectors.filter((selector) => !selector.startsWith('.marbles '))).toEqual([]);
  });

  it('can be read in light and dark: every text has four and a half times the light of its ground, or a fraction of it', () => {
    const light = (hex: string): number => {
      const [r, g, b] = [1, 3, 5]
        .map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
    };
    const contrast = (one: string, other: string): number => {
      const [dark, bright] = [light(one), light(other)].sort((a, b) => a - b);
      return (bright! + 0.05) / (dark! + 0.05);
    };
    for (const mode of [0, 1] as const) {
      for (const shades of MARBLES) {
        const [ground, edge, ink] = shades[mode];
        expect(contrast(ground, ink), ink).toBeGreaterThanOrEqual(4.5);
        expect(contrast(PARTS.ground[mode], edge), edge).toBeGreaterThanOrEqual(3);
      }
      for (const text of [PARTS.ink, PARTS.faint]) expect(contrast(PARTS.ground[mode], text[mode])).toBeGreaterThanOrEqual(4.5);
      expect(contrast(PARTS.box[mode], PARTS.ink[mode])).toBeGreaterThanOrEqual(4.5);
      for (const shown of [PARTS.line, PARTS.bad, ...Object.values(LANES)])
        expect(contrast(PARTS.ground[mode], shown[mode])).toBeGreaterThanOrEqual(3);
    }
  });

  it('shows from when on a worker drains', () => {
    const shown = drawing({ in: [mark(0, 'a')] }, { drainAt: 3 });
    expect(timelineText(shown)).toBe('in: a at 0 ms. It drains from 3 ms on.');
    expect(renderMarbles(shown)).toContain('>drains<');
  });

  it('gives a letter one colour in all lanes, its capital the same, the next another', () => {
    const svg = renderMarbles(drawing({ in: [mark(0, 'a'), mark(3, 'A'), mark(6, 'b')], out: [mark(1, 'a')] }));
    const colours = [...svg.matchAll(/class="t (c\d)"[^>]*>(\w)</g)].map(([, colour, letter]) => `${letter}${colour}`);
    expect(colours).toEqual(['ac0', 'Ac0', 'bc1', 'ac0']);
  });

  it('draws actions as squares, groups under each other', () => {
    const svg = renderMarbles(drawing({ 'publish t': [mark(0, 'a')], out: [mark(0, 'a'), mark(0, 'b'), mark(0, 'c')] }));
    expect(svg.match(/<rect class="c0"/g)).toHaveLength(1);
    const places = [...svg.matchAll(/<circle class="c\d" cx="([\d.]+)" cy="([\d.]+)" r="12"/g)].map(([, x, y]) => [Number(x), Number(y)]);
    expect(new Set(places.map(([x]) => x)).size).toBe(1);
    expect(places[2]![1]! - places[1]![1]!).toBeGreaterThanOrEqual(24);
    expect(heightOf(svg)).toBeGreaterThan(heightOf(renderMarbles(drawing({ 'publish t': [mark(0, 'a')], out: [mark(0, 'a')] }))) + 40);
  });

  it('is no wider than can be read on a narrow page, and cuts long pauses', () => {
    const long = {
      in: [mark(0, 'a'), mark(60_000, 'b'), mark(3_600_000, '|')],
      'webhook POST https://hooks.example.com/a/rather/long/address/indeed': [],
    };
    const svg = renderMarbles(drawing(long, { letters: { a: 'x'.repeat(400) } }));
    expect(widthOf(svg)).toBeLessThanOrEqual(460);
    expect(svg).toContain('3600000 ms');
    expect(svg).toContain('…');
    expect(svg.length).toBeLessThan(6000);
  });

  /** Sums of fractions of a pixel may differ from the whole by their rounding. */
  const ROUNDING = 1e-9;

  it('keeps the order of moments, and marks of one lane apart, whatever is drawn', () => {
    const lane = fc.array(fc.record({ frame: fc.integer({ min: -5, max: 400 }), symbol: fc.constantFrom('a', 'b', '|', '#') }), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(fc.array(lane, { minLength: 1, maxLength: 4 }), (lanes) => {
        const shown = drawing(
          Object.fromEntries(lanes.map((marks, at) => [`l${at}`, marks.map(({ frame, symbol }) => mark(frame, symbol))])),
        );
        const scale = timeScale(shown, { left: 30, room: 400, apart: 28 });
        scale.times.forEach((time, at) => {
          if (at > 0) expect(scale.x(time)).toBeGreaterThan(scale.x(scale.times[at - 1]!));
        });
        for (const { marks } of shown.lanes) {
          const places = [...new Set(marks.map(({ frame }) => frame))].sort((a, b) => a - b).map((frame) => scale.x(frame));
          places.forEach((x, at) => at > 0 && expect(x - places[at - 1]!).toBeGreaterThanOrEqual(28 - ROUNDING));
        }
        expect(renderMarbles(shown)).toMatch(/<\/svg>\n$/);
      }),
    );
  });

  it('tells by what messages differ, and not what they share', async () => {
    const values = { a: { id: '1', kind: 'x', size: 1 }, b: { id: '2', kind: 'x', size: 2 } };
    const play = await playMarbles((source) => source, { in: 'ab', out: 'ab' }, { values });
    expect(meaningsOf(play)).toEqual({ a: 'size: 1', b: 'size: 2' });
    expect(drawingOf(play, { title: 't' }).lanes.map(({ name }) => name)).toEqual(['in', 'out']);
  });
});
