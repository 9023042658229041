import { isDeepStrictEqual } from 'node:util';
import type { Path, Place } from '../../diagnostics/index.js';
import { expressionChanges } from '../../plugin/condition-list.js';
import type { PluginEntry } from '../../plugin/entry.js';
import { splitConfig } from '../../plugin/entry-plugin.js';
import type { Catalogue } from '../../plugin/index.js';
import type { Mutation } from './configuration.js';
import { type EntryFacts, factsOf, placeIn } from './entry-facts.js';
import { isFields } from './merge.js';

/** A small mistake that somebody could make in a configuration. */
export interface Mutant {
  readonly plugin: string;
  readonly place: Place;
  /** What is changed: `min_retries: 3 → 4`. */
  readonly text: string;
  readonly mutations: readonly Mutation[];
}

const PRIORITY = 100;

/** Every mistake that is tried with the entries of one configuration, by place. Those that mean the same as what is written are left out. */
export function mutantsOf(entries: readonly PluginEntry[], catalogue: Catalogue): readonly Mutant[] {
  const enabled = entries.filter((entry) => entry.enabled);
  const standing = enabled.flatMap((entry) => {
    const facts = factsOf(entry, catalogue);
    return facts === undefined ? [] : [{ entry, facts }];
  });
  const mutants = [...standing.flatMap(({ entry, facts }) => [...ofEntry(entry, facts)]), ...swaps(standing)];
  return mutants.sort((a, b) =>
    a.place.file === b.place.file ? a.place.line - b.place.line || a.place.column - b.place.column : a.place.file < b.place.file ? -1 : 1,
  );
}

function* ofEntry(entry: PluginEntry, facts: EntryFacts): Generator<Mutant> {
  const at = (path: Path, text: string, change: (value: unknown) => unknown, offset?: number): Mutant => ({
    plugin: entry.name,
    place: placeIn(entry, path, offset),
    text,
    mutations: [{ plugin: entry.name, apply: (written) => changedAt(written, path, change) }],
  });
  yield { ...at([], 'enabled: true → false', (written) => (isFields(written) ? { ...written, enabled: false } : written)) };
  const { conditions, conditionsAt } = splitConfig(entry, facts.pluggable);
  if (entry.when !== undefined) {
    const source = entry.when;
    for (const { start, end, replacement, within } of expressionChanges(source)) {
      const changed = source.slice(0, start) + replacement + source.slice(end);
      const piece = source.slice(start, end);
      yield at(['when'], piece === within ? `${piece} → ${replacement}` : `${piece} → ${replacement} in ${within}`, () => changed, start);
    }
  }
  for (const { path, text, change } of ofConditions(conditions, conditionsAt)) yield at(path, text, change);
  for (const [index, type] of (entry.event_types ?? []).entries()) {
    if (type !== '*') yield at(['event_types', index], `${type} → another type`, () => `${type}.another`);
  }
  for (const { path, text, change } of ofConfig(facts.config, facts, [])) {
    const changed = changedAt(facts.config, path, change);
    const read = facts.spec.config?.safeParse(changed);
    // Refused by the plugin, or the same as before: no mistake that a case could see.
    if (read?.success === false || isDeepStrictEqual(read?.data ?? changed, facts.read)) continue;
    yield at(['config', ...path], text, change);
  }
}

interface Change {
  readonly path: Path;
  readonly text: string;
  readonly change: (value: unknown) => unknown;
}

/** What stands there is taken away. */
const GONE = Symbol('gone');

const OPPOSITE: Readonly<Record<string, readonly string[]>> = {
  equals: ['not_equals'],
  not_equals: ['equals'],
  in: ['not_in'],
  not_in: ['in'],
  gt: ['lte', 'gte'],
  gte: ['lt', 'gt'],
  lt: ['gte', 'lte'],
  lte: ['gt', 'lt'],
};

function* ofConditions(block: unknown, path: Path): Generator<Change> {
  if (Array.isArray(block)) {
    for (const [index, item] of block.entries()) yield* ofConditions(item, [...path, index]);
    return;
  }
  if (!isFields(block)) return;
  const group = ['any', 'all'].find((key) => key in block);
  if (group !== undefined && Array.isArray(block[group]) && block[group].length > 1) {
    const other = group === 'any' ? 'all' : 'any';
    yield { path, text: `${group} → ${other}`, change: (value) => renamed(value, group, other) };
  }
  if (['any', 'all', 'not'].some((key) => key in block)) {
    for (const key of ['any', 'all', 'not']) if (key in block) yield* ofConditions(block[key], [...path, key]);
    return;
  }
  for (const [operator, operand] of Object.entries(block)) {
    if (operator === 'field') continue;
    const flipped = OPPOSITE[operator];
    const whole = `${String(block['field'])} ${operator} ${JSON.stringify(operand)}`;
    if (operator === 'exists')
      yield { path: [...path, operator], text: `${whole} → ${String(operand !== true)}`, change: (value) => value !== true };
    else if (flipped === undefined) yield { path, text: `${whole} → not`, change: (value) => ({ not: value }) };
    else for (const other of flipped) yield { path, text: `${whole} → ${other}`, change: (value) => renamed(value, operator, other) };
    if (typeof operand === 'number') {
      for (const next of [operand + 1, operand - 1]) yield { path: [...path, operator], text: `${whole} → ${next}`, change: () => next };
    }
    if (Array.isArray(operand)) yield* items(operand, [...path, operator]);
  }
}

function* items(list: readonly unknown[], path: Path): Generator<Change> {
  for (const [index, item] of list.entries()) {
    const text = `${String(path.findLast((step) => typeof step === 'string'))}: without ${typeof item === 'string' ? item : `item ${index + 1}`}`;
    yield { path: [...path, index], text, change: () => GONE };
  }
}

/** Texts that people read and nothing depends on. */
const PROSE = /^(message|description|name|title|level|log_level|log)$/;

function* ofConfig(value: unknown, facts: EntryFacts, path: Path): Generator<Change> {
  const key = String(path.at(-1) ?? '');
  const name = typeof path.at(-1) === 'number' ? String(path.at(-2)) : key;
  if (typeof value === 'number') {
    for (const next of [value + 1, value - 1]) yield { path, text: `${name}: ${value} → ${next}`, change: () => next };
  } else if (typeof value === 'boolean') yield { path, text: `${name}: ${String(value)} → ${String(!value)}`, change: () => !value };
  else if (typeof value === 'string') {
    const other = facts.topics.includes(value)
      ? `${value}.elsewhere`
      : /^https?:\/\//.test(value)
        ? `${value}/elsewhere`
        : `${value}-other`;
    if (!PROSE.test(name)) yield { path, text: `${name}: ${value} → ${other}`, change: () => other };
    else if (name === 'log') yield { path, text: `without ${name}`, change: () => GONE };
  } else if (Array.isArray(value)) {
    if (value.length > 1 || path.length === 1) yield* items(value, path);
    for (const [index, item] of value.entries()) yield* ofConfig(item, facts, [...path, index]);
  } else if (isFields(value)) {
    for (const [inner, item] of Object.entries(value)) {
      const there = [...path, inner];
      if (isFields(item) && path.length > 0) yield { path: there, text: `without ${inner}`, change: () => GONE };
      yield* ofConfig(item, facts, there);
    }
  }
}

interface Standing {
  readonly entry: PluginEntry;
  readonly facts: EntryFacts;
}

/** Neighbours change places where that can be seen: one of them filters, amends or adds headers, or does not say what it does. */
function swaps(standing: readonly Standing[]): readonly Mutant[] {
  const priority = ({ entry, facts }: Standing): number => entry.priority ?? facts.spec.priority ?? PRIORITY;
  const stagesOf = ({ entry, facts }: Standing): readonly string[] => entry.stages ?? facts.spec.stages ?? [];
  const meet = (a: Standing, b: Standing): boolean => {
    const [own, others] = [stagesOf(a), stagesOf(b)];
    return own.length === 0 || others.length === 0 || own.some((stage) => others.includes(stage));
  };
  const matters = ({ facts: { spec, actions } }: Standing): boolean =>
    spec.effects === undefined || spec.effects.filters === true || actions.includes('add_header');
  const ordered = standing.map((one, index) => ({ one, index })).sort((a, b) => priority(a.one) - priority(b.one) || a.index - b.index);
  return ordered.flatMap(({ one: first }, index) => {
    const second = ordered.slice(index + 1).find(({ one }) => meet(first, one))?.one;
    if (second === undefined || !(matters(first) || matters(second))) return [];
    const [low, high] = [priority(first), priority(second)];
    const moved = (to: number) => (written: unknown) => (isFields(written) ? { ...written, priority: to } : written);
    return [
      {
        plugin: first.entry.name,
        place: placeIn(first.entry, first.entry.priority === undefined ? [] : ['priority']),
        text: `runs after ${second.entry.name} instead of before it`,
        mutations: [
          { plugin: first.entry.name, apply: moved(low === high ? low + 1 : high) },
          ...(low === high ? [] : [{ plugin: second.entry.name, apply: moved(low) }]),
        ],
      },
    ];
  });
}

function renamed(value: unknown, from: string, to: string): unknown {
  if (!isFields(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key === from ? to : key, inner]));
}

/** A copy with the value at a path changed; what is not there stays so. */
function changedAt(value: unknown, path: Path, change: (value: unknown) => unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return change(value);
  if (Array.isArray(value) && typeof step === 'number') {
    if (step >= value.length) return value;
    const changed = changedAt(value[step], rest, change);
    return changed === GONE ? value.toSpliced(step, 1) : value.with(step, changed);
  }
  // A text stands for a list of one.
  if (typeof value === 'string' && step === 0) return changedAt(value, rest, change);
  if (!isFields(value) || !Object.hasOwn(value, step)) return value;
  const changed = changedAt(value[step], rest, change);
  if (changed !== GONE) return { ...value, [step]: changed };
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== step));
}
