import { z } from 'zod';
import { entrySchema, pluginsFileSchema, taskTriggerSchema } from '../plugin/loader/entry-schema.js';
import { connectionsSchema } from './connections-schema.js';
import { type DomainShape, DOMAINS } from './domains.js';
import { pipelineSchema } from './pipeline-schema.js';

interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly 'x-kind'?: string;
}

function toJson(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: 'input', target: 'draft-7', unrepresentable: 'any' }) as JsonSchema;
}

const REFERENCE = { type: 'string', pattern: '^\\$\\{.+\\}$' };

/** For editors: `x-` keys pass, and a variable may stand for anything that is no text. */
function forEditors(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(forEditors);
  if (value === null || typeof value !== 'object') return value;
  const copy: Record<string, unknown> = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, forEditors(inner)]));
  if (copy['additionalProperties'] === false && copy['properties'] !== undefined) return { ...copy, patternProperties: { '^x-': {} } };
  const { description, default: byDefault, ...core } = copy;
  const scalar =
    ['integer', 'number', 'boolean'].includes(String(copy['type'])) || (copy['enum'] !== undefined && copy['type'] === 'string');
  if (!scalar) return copy;
  return {
    ...(description === undefined ? {} : { description }),
    ...(byDefault === undefined ? {} : { default: byDefault }),
    anyOf: [core, REFERENCE],
  };
}

/** The JSON Schema of a file that a user writes, for editors to complete and check with. */
export function editorSchema(schema: z.ZodType): object {
  return forEditors(toJson(schema)) as object;
}

/** JSON Schemas of the files of a configuration, by file name. */
export function jsonSchemas(domains: readonly DomainShape[] = DOMAINS): Readonly<Record<string, object>> {
  const files = {
    'pipeline.json': pipelineSchema(domains),
    'plugins.json': pluginsFileSchema(domains),
    'plugin.json': entrySchema(domains),
    'connections.json': connectionsSchema,
  };
  return Object.fromEntries(Object.entries(files).map(([name, schema]) => [name, editorSchema(schema)]));
}

/** Every key of every file that a user writes, as Markdown tables; made from the schemas, so that it cannot differ from them. */
export function configReference(domains: readonly DomainShape[] = DOMAINS): string {
  const running = domains.filter((domain) => domain.runs);
  return [
    '### The pipeline file',
    '',
    ...table(toJson(pipelineSchema(running))),
    '',
    '### A plugin entry',
    '',
    ...table(toJson(entrySchema(domains))),
    '',
    '### A task trigger in its old form',
    '',
    ...table(toJson(taskTriggerSchema)),
    '',
    '### The connections file',
    '',
    ...table(toJson(connectionsSchema)),
    '',
  ].join('\n');
}

/** The keys of any schema as a table of Markdown: the config of a plugin, say. */
export function keysTable(schema: z.ZodType): string {
  const json = toJson(schema);
  return table({ ...json, properties: withDefaults(json.properties ?? {}, schema.safeParse({}).data) }).join('\n');
}

/** A default behind a transform is in no JSON Schema: what nothing is read as, tells it. */
function withDefaults(properties: Readonly<Record<string, JsonSchema>>, read: unknown): Readonly<Record<string, JsonSchema>> {
  const values: Readonly<Record<string, unknown>> = typeof read === 'object' && read !== null ? { ...read } : {};
  return Object.fromEntries(
    Object.entries(properties).map(([key, property]) => [
      key,
      property.default !== undefined || values[key] === undefined ? property : { ...property, default: values[key] },
    ]),
  );
}

function table(schema: JsonSchema): string[] {
  return ['| key | value | default | meaning |', '|---|---|---|---|', ...rows(schema, '')];
}

function rows(schema: JsonSchema, prefix: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, property]) => {
    const path = `${prefix}${key}`;
    const below = nested(property);
    const required = schema.required?.includes(key) === true;
    const row = `| \`${path}\` | ${kind(property)} | ${required ? 'required' : defaultOf(property)} | ${cell(property.description ?? '')} |`;
    return [row, ...below.flatMap(({ schema: inner, step }) => rows(inner, `${path}${step}.`))];
  });
}

/** The maps inside a value whose keys are known: itself, a form of it, the items of its list, the values of its record. */
function nested(schema: JsonSchema): { readonly schema: JsonSchema; readonly step: string }[] {
  if (schema.properties !== undefined) return [{ schema, step: '' }];
  if (schema.anyOf !== undefined) return schema.anyOf.flatMap(nested);
  if (schema.items !== undefined) return nested(schema.items).map((found) => ({ ...found, step: `[]${found.step}` }));
  if (typeof schema.additionalProperties === 'object')
    return nested(schema.additionalProperties).map((found) => ({ ...found, step: `.<name>${found.step}` }));
  return [];
}

const NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'whole number',
  number: 'number',
  boolean: 'true or false',
  object: 'map',
  array: 'list',
  null: 'empty',
};

function kind(schema: JsonSchema): string {
  if (schema['x-kind'] !== undefined) return schema['x-kind'];
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(' ');
  if (schema.const !== undefined) return schema.const === '' ? 'empty' : `\`${String(schema.const)}\``;
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(kind))].join(' or ');
  if (schema.items !== undefined) return `list of ${kind(schema.items)}`;
  if (schema.type === undefined) return 'anything';
  const types = typeof schema.type === 'string' ? [schema.type] : schema.type;
  return types.map((type) => NAMES[type] ?? type).join(' or ');
}

function defaultOf({ default: value, properties }: JsonSchema): string {
  if (value === undefined || properties !== undefined) return '';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : `\`[${value.join(', ')}]\``;
  if (value !== null && typeof value === 'object') return Object.keys(value).length === 0 ? 'none' : `\`${JSON.stringify(value)}\``;
  return value === '' ? 'empty' : `\`${String(value)}\``;
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
