import { finding } from '../../config/findings.js';
import { type Diagnostic, didYouMean, fit } from '../../diagnostics/index.js';
import type { Context } from '../../plugin/index.js';
import { merged } from './merge.js';
import type { SpecCase, SpecMessage } from './spec.js';
import { fieldsOf, type StageWorld } from './stage-world.js';

/** A letter as it plays in a case: at which stage, as which message, seen by plugins as which context. */
export interface PlayedLetter {
  readonly stage: string;
  readonly message: unknown;
  /** Made when the message enters, by the clock of that moment. */
  context(): Context;
}

const plain = (name: string): string => name.trim().toLowerCase().replaceAll('-', '_');

/** The letter completed with what a valid message of its stage holds besides; findings where it fits no stage. */
export function completed(world: StageWorld, one: SpecCase, letter: SpecMessage): PlayedLetter | readonly Diagnostic[] {
  const { spec } = one;
  const at = (part: 'key' | 'value', ...path: readonly (string | number)[]) => spec.yaml.place([...letter.path, ...path], part);
  const asked = letter.stage ?? one.stage;
  if (asked === undefined) {
    const help = `write stage: beside config:, or $stage: in the message; stages are ${names(world)}`;
    return [finding('PS5001', 'error', at('key'), `the case "${one.name}" does not say at which stage "${letter.letter}" is`, help)];
  }
  const stage = world.stages.find(({ name }) => name === plain(asked))?.name;
  if (stage === undefined) {
    const place = letter.stage === undefined ? stagePlace(one) : at('value', '$stage');
    return [unknownStage(world, asked, place)];
  }
  const of = letter.of === undefined ? (world.usual[stage] ?? stage) : plain(letter.of);
  const schema = world.stages.find(({ name }) => name === of)?.message;
  if (schema === undefined) return [unknownStage(world, letter.of ?? of, at('value', '$of'))];
  const fields = fieldsOf(schema) ?? {};
  const aliases = world.aliases(of);
  const known = [...Object.keys(fields), ...Object.keys(aliases)];
  const strangers = Object.keys(letter.fields).filter((key) => !known.includes(key));
  if (strangers.length > 0 && !letter.whole) {
    return strangers.map((key) => {
      const near = didYouMean(key, known);
      const help = near === undefined ? `it has ${known.join(', ')}` : `did you mean "${near}"?`;
      return finding('PS5023', 'error', at('key', key), `a message of ${of} has no field "${key}"`, help);
    });
  }
  const own = Object.fromEntries(Object.entries(letter.fields).map(([key, value]) => [aliases[key] ?? key, value]));
  const raw = letter.whole ? own : merged(world.sample(of, letter.letter), own);
  const { value, diagnostics } = fit(schema, raw, {
    locate: (path, part) => {
      const [first, ...rest] = path;
      const written = Object.keys(aliases).find((alias) => aliases[alias] === first && Object.hasOwn(letter.fields, alias));
      return spec.yaml.place(written === undefined ? [...letter.path, ...path] : [...letter.path, written, ...rest], part);
    },
    title: `a message of ${of}`,
  });
  if (diagnostics.length > 0) return diagnostics.map((diagnostic) => ({ ...diagnostic, code: 'PS5023' }));
  return {
    stage,
    message: value,
    context() {
      const { data, headers, error, ...rest } = letter.context;
      return { ...world.contextOf(stage, value, { data, headers, error }), ...rest };
    },
  };
}

function names(world: StageWorld): string {
  return world.stages.map(({ name }) => name).join(', ');
}

function stagePlace({ spec, index }: SpecCase) {
  const own = ['cases', index, 'stage'];
  return spec.yaml.place(spec.yaml.has(own) ? own : ['stage']);
}

function unknownStage(world: StageWorld, name: string, place: ReturnType<typeof stagePlace>): Diagnostic {
  const near = didYouMean(
    name,
    world.stages.map((stage) => stage.name),
  );
  const help = near === undefined ? `stages are ${names(world)}` : `did you mean "${near}"?`;
  return finding('PS5001', 'error', place, `${world.domain} has no stage "${name}"`, help);
}
