import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expandText, isOnlyReference, retype } from '../../src/config/environment.js';

describe('variables in texts', () => {
  it('F17: the default stands in for a variable that is unset or empty', () => {
    expect(expandText('${A:-x}', {}).text).toBe('x');
    expect(expandText('${A:-x}', { A: '' }).text).toBe('x');
    expect(expandText('${A:-x}', { A: 'y' }).text).toBe('y');
    expect(expandText('${A}', { A: '' }).text).toBe('');
  });

  it('reports each variable that is not set, with its place in the text', () => {
    const { text, unresolved } = expandText('a ${ONE} b ${TWO}', {});
    expect(text).toBe('a ${ONE} b ${TWO}');
    expect(unresolved).toEqual([
      { name: 'ONE', start: 2, end: 8 },
      { name: 'TWO', start: 11, end: 17 },
    ]);
  });

  it.each(['${}', '${:-x}', '${A:x}', '${A', '${1A}', '${A-x}'])('G4: %s is reported, not passed on in silence', (text) => {
    expect(expandText(text, { A: 'a' })).toMatchObject({ text, unresolved: [{ name: undefined }] });
  });

  it('lets a default hold a reference, and asks for it only when it is needed', () => {
    expect(expandText('${A:-${B}}', { B: 'b' }).text).toBe('b');
    expect(expandText('${A:-${B}}', { A: 'a' })).toMatchObject({ text: 'a', unresolved: [] });
    expect(expandText('${A:-${B}}', {}).unresolved).toMatchObject([{ name: 'B' }]);
  });

  it('never expands what a variable holds', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        fc.pre(value !== '');
        expect(expandText('<${A}>', { A: value, B: 'no' })).toMatchObject({ text: `<${value}>`, unresolved: [] });
      }),
    );
    expect(expandText('${A}', { A: '${B}', B: 'no' }).text).toBe('${B}');
  });

  it('leaves a text without references as it is, and ends on any text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!text.includes('${'));
        expect(expandText(text, {}).text).toBe(text);
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.constantFrom('$', '{', '}', ':-', 'A', 'B', ' ')), (parts) => {
        const { unresolved, text } = expandText(parts.join(''), {});
        for (const { start, end } of unresolved) {
          expect(parts.join('').slice(start, start + 2)).toBe('${');
          expect(end).toBeGreaterThan(start);
        }
        if (unresolved.length === 0) expect(text).not.toMatch(/\$\{[A-Z]\}/);
      }),
    );
  });

  it('types a plain reference as YAML types a plain scalar', () => {
    const typed = ['', 'true', 'False', '12', '-3', '1.5', '1e3', '0x10', '1_000', '99999999999999999999', 'null', '5m', '007'].map(retype);
    expect(typed).toEqual([null, true, false, 12, -3, 1.5, 1000, 16, '1_000', '99999999999999999999', null, '5m', 7]);
    expect(['${A}', '${A:-${B}}', '${A}${B}', 'x${A}', '${A} '].map(isOnlyReference)).toEqual([true, true, false, false, false]);
  });
});
