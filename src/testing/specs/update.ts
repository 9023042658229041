import { parse } from 'yaml';
import type { PlayedLane, PlayedMark } from '../play.js';
import type { CaseResult } from './run-case.js';
import type { Spec } from './spec.js';
import { caseOf } from './spec.js';
import { placeText } from './tell-case.js';

/** The text of a file with the lanes that were received, and what could not be written. */
export interface UpdatedSpec {
  readonly text: string;
  /** How many lanes differ from before. */
  readonly lanes: number;
  /** Why a lane stayed as it was, a line each. */
  readonly left: readonly string[];
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Writes what lanes received in the place of what is drawn; not a character of anything else changes. */
export function updatedSpec(spec: Spec, results: readonly CaseResult[]): UpdatedSpec {
  const edits: Edit[] = [];
  const left: string[] = [];
  for (const result of results) {
    if (result.passed || result.play === undefined) continue;
    const differing = new Set(result.problems.filter(({ missing, extra }) => missing.length + extra.length > 0).map(({ lane }) => lane));
    const missing: (readonly [name: string, marbles: string])[] = [];
    for (const lane of result.play.lanes) {
      if (!differing.has(lane.name)) continue;
      const marbles = textOf(lane, result);
      if (typeof marbles === 'object') {
        left.push(`${placeText(caseOf(result.case))}  lane "${lane.name}" stays: ${marbles.why}`);
        continue;
      }
      const drawn = result.case.lanes.find(({ name }) => name === lane.name);
      if (drawn === undefined) missing.push([lane.name, marbles]);
      else {
        const edit = replaced(spec, drawn.path, marbles);
        if (edit === undefined)
          left.push(`${placeText(caseOf(result.case))}  lane "${lane.name}" stays: its text is a block, or shared by an anchor`);
        else edits.push(edit);
      }
    }
    if (missing.length === 0) continue;
    const edit = inserted(spec, result.case.index, missing);
    if (edit !== undefined) edits.push(edit);
    else
      left.push(
        ...missing.map(([name]) => `${placeText(caseOf(result.case))}  lane "${name}" is not added: expect is shared by an anchor`),
      );
  }
  const text = edits
    .toSorted((a, b) => b.start - a.start)
    .reduce((whole, edit) => whole.slice(0, edit.start) + edit.text + whole.slice(edit.end), spec.yaml.text);
  return { text, lanes: edits.length, left };
}

const LONG_PAUSE = 20;

/** What a lane received as marbles; why not, where marbles cannot say it. */
function textOf({ received }: PlayedLane, { case: one }: CaseResult): string | { readonly why: string } {
  const moments = new Map<number, PlayedMark[]>();
  for (const mark of received) moments.set(mark.frame, [...(moments.get(mark.frame) ?? []), mark]);
  let text = '';
  let now = 0;
  for (const [frame, marks] of moments) {
    const stranger = marks.find(({ kind, symbol }) => kind === 'next' && !one.messages.has(symbol));
    if (stranger !== undefined) return { why: `no letter stands for what came at ${frame} ms` };
    const gap = frame - now;
    if (gap < 0) return { why: `what came at ${frame} ms falls into the group before it` };
    if (gap > LONG_PAUSE) text += `${text === '' ? '' : ' '}${gap}ms `;
    else if (Number.isInteger(gap)) text += '-'.repeat(gap);
    else return { why: `${frame} ms is no whole number` };
    const symbols = marks.map(({ symbol }) => symbol).join('');
    text += marks.length === 1 ? symbols : `(${symbols})`;
    now = frame + (marks.length === 1 ? 1 : marks.length + 2);
  }
  return text;
}

function replaced({ yaml }: Spec, path: readonly (string | number)[], marbles: string): Edit | undefined {
  const written = yaml.written(path);
  if (written === undefined || !['plain', 'single', 'double'].includes(written.form)) return undefined;
  return { start: written.start, end: written.end, text: scalar(marbles, written.form) };
}

/** Lanes that are not drawn, behind those that are; none where the map of lanes stands elsewhere too. */
function inserted({ yaml }: Spec, index: number, lanes: readonly (readonly [name: string, marbles: string])[]): Edit | undefined {
  const path = ['cases', index, 'expect'];
  const map = yaml.written(path);
  const names = yaml.keys(path);
  const lines = lanes.map(([name, marbles]) => `${key(name)}: ${scalar(marbles, 'single')}`);
  if (map?.form === 'flow_map') {
    const before = yaml.text.slice(0, map.end - 1).trimEnd().length;
    return { start: before, end: before, text: names.length > 0 ? `, ${lines.join(', ')}` : ` ${lines.join(', ')} ` };
  }
  const last = names.at(-1);
  if (map?.form === 'block_map' && last !== undefined) {
    const { column } = yaml.place([...path, last], 'key');
    return behind(
      yaml,
      [...path, last],
      lines.map((line) => `${' '.repeat(column - 1)}${line}`),
    );
  }
  if (yaml.has(path)) return undefined;
  const { column } = yaml.place(['cases', index, 'in'], 'key');
  const indent = ' '.repeat(column - 1);
  return behind(yaml, ['cases', index, 'in'], [`${indent}expect:`, ...lines.map((line) => `${indent}  ${line}`)]);
}

/** New lines behind the one that a value ends in. */
function behind(yaml: Spec['yaml'], path: readonly (string | number)[], lines: readonly string[]): Edit {
  const end = yaml.written(path)?.end ?? yaml.text.length;
  const found = yaml.text.slice(end).search(/\r?\n|$/);
  const at = end + found;
  const ending = yaml.text.includes('\r\n') ? '\r\n' : '\n';
  return { start: at, end: at, text: lines.map((line) => `${ending}${line}`).join('') };
}

/** Marbles in the form in which they stood, in quotes where they need them. */
function scalar(marbles: string, form: string): string {
  if (form === 'double') return JSON.stringify(marbles);
  if (form === 'plain' && isPlain(marbles)) return marbles;
  return `'${marbles.replaceAll("'", "''")}'`;
}

function isPlain(text: string): boolean {
  try {
    return text.trim() === text && (parse(`{ a: ${text} }`) as { readonly a: unknown }).a === text && !text.includes('#');
  } catch {
    return false; // what is no YAML without quotes gets them
  }
}

function key(name: string): string {
  return isPlain(name) ? name : JSON.stringify(name);
}
