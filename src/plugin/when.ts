import { type ASTNode, Environment, EvaluationError, ParseError, TypeError as CelTypeError } from '@marcbachmann/cel-js';
import type { z } from 'zod';
import { didYouMean, oneOf } from '../diagnostics/index.js';
import type { Decide } from './conditions.js';
import { compileExpression, eachChild } from './expression.js';
import { FIELD_ROOTS } from './field.js';
import { compilePattern, isFault } from './pattern.js';

/** What a stage carries, as far as it is known: the schemas of its message and of its data. */
export interface StageFields {
  readonly stage: string;
  readonly message?: z.ZodType | undefined;
  readonly data?: z.ZodType | undefined;
}

/** What is wrong with an expression, `offset` characters into it. */
export interface WhenFault {
  readonly code: 'PS1401' | 'PS1402' | 'PS2107';
  readonly severity: 'error' | 'warning';
  readonly offset: number;
  readonly message: string;
  readonly help?: string | undefined;
}

/**
 * Compiles a CEL expression, checked against the fields of each stage it will stand at. Beside the context's own names those of the message
 * may stand bare. Undefined when there is an error. An evaluation that fails is thrown by the function.
 */
export function compileWhen(source: string, stages: readonly StageFields[], report: (fault: WhenFault) => void): Decide | undefined {
  let ast: ASTNode;
  try {
    ast = new Environment({ unlistedVariablesAreDyn: true, enableOptionalTypes: true }).parse(source).ast;
  } catch (error) {
    report(faultOf(error, 'this condition cannot be read'));
    return undefined;
  }
  let errors = 0;
  const seen = new Set<string>();
  const tell = (fault: WhenFault): void => {
    if (fault.severity === 'error') errors += 1;
    const key = `${fault.offset} ${fault.message}`;
    if (!seen.has(key)) report(fault);
    seen.add(key);
  };
  checkPatterns(ast, tell);
  for (const stage of stages) {
    const { environment, shapes } = environmentOf(stage);
    const checked = environment.check(source);
    if (!checked.valid) tell(explained(checked.error, source, shapes, stage));
    else if (checked.type !== 'bool' && checked.type !== 'dyn') {
      tell({ code: 'PS1401', severity: 'error', offset: 0, message: `this condition gives ${checked.type}, not true or false` });
    }
    checkValues(ast, shapes, tell);
  }
  if (errors > 0) return undefined;
  const value = compileExpression(ast);
  return (context) => value(context) === true;
}

interface Shape {
  readonly type: string;
  /** The only values there are, where the schema lists them. */
  readonly values?: readonly string[] | undefined;
  readonly fields?: ReadonlyMap<string, Shape>;
}

interface Checked {
  readonly environment: Environment;
  readonly shapes: ReadonlyMap<string, Shape>;
}

const OWN: ReadonlyMap<string, Shape> = new Map<string, Shape>([
  ['domain', { type: 'string' }],
  ['stage', { type: 'string' }],
  ['event_id', { type: 'string' }],
  ['event_type', { type: 'dyn' }],
  ['project_id', { type: 'dyn' }],
  ['worker', { type: 'dyn' }],
  ['headers', { type: 'map<string, string>' }],
  ['error', { type: 'dyn' }],
  ['retry_count', { type: 'int' }],
  ['timestamp', { type: 'google.protobuf.Timestamp' }],
]);

function environmentOf({ message, data }: StageFields): Checked {
  const environment = new Environment({ unlistedVariablesAreDyn: message === undefined, enableOptionalTypes: true });
  const shapes = new Map<string, Shape>(OWN);
  const messageShape = shapeOf(message);
  for (const [name, shape] of messageShape.fields ?? []) {
    // CEL has names of its own (`type`, `string`): such a field is reached through `message`.
    if (!shapes.has(name) && name !== 'message' && name !== 'data' && !environment.hasVariable(name)) shapes.set(name, shape);
  }
  shapes.set('message', messageShape);
  shapes.set('data', shapeOf(data));
  let types = 0;
  const register = (shape: Shape): string => {
    if (shape.fields === undefined) return shape.type;
    const fields = Object.fromEntries([...shape.fields].map(([name, field]) => [name, register(field)]));
    types += 1;
    const name = `Fields${types}`;
    environment.registerType(name, { fields });
    return name;
  };
  for (const [name, shape] of shapes) environment.registerVariable(name, register(shape));
  return { environment, shapes };
}

interface Definition {
  readonly type: string;
  readonly innerType?: unknown;
  readonly in?: unknown;
  readonly out?: unknown;
  readonly shape?: Readonly<Record<string, unknown>>;
  readonly element?: unknown;
  readonly valueType?: unknown;
  readonly entries?: Readonly<Record<string, string | number>>;
  readonly values?: readonly unknown[];
  readonly format?: string;
  readonly checks?: readonly { readonly _zod?: { readonly def?: { readonly format?: string } } }[];
}

const UNKNOWN: Shape = { type: 'dyn' };

/** What CEL is told of a schema; what may be absent or null, and what is not understood, is of no certain type. */
function shapeOf(schema: unknown): Shape {
  const definition = (schema as { readonly _zod?: { readonly def?: Definition } } | undefined)?._zod?.def;
  switch (definition?.type) {
    case 'string':
      return { type: 'string' };
    case 'boolean':
      return { type: 'bool' };
    case 'number':
      return { type: isInteger(definition) ? 'int' : 'double' };
    case 'enum':
      return { type: 'string', values: Object.values(definition.entries ?? {}).map(String) };
    case 'literal':
      return definition.values?.every((value) => typeof value === 'string')
        ? { type: 'string', values: definition.values.map(String) }
        : UNKNOWN;
    case 'object':
      return { type: 'map', fields: new Map(Object.entries(definition.shape ?? {}).map(([name, field]) => [name, shapeOf(field)])) };
    case 'array': {
      const element = shapeOf(definition.element);
      return { type: `list<${element.fields === undefined ? element.type : 'dyn'}>` };
    }
    case 'default':
    case 'prefault':
    case 'readonly':
    case 'catch':
      return shapeOf(definition.innerType);
    case 'optional':
    case 'nullable': {
      const inner = shapeOf(definition.innerType);
      return { type: 'dyn', values: inner.values };
    }
    case 'pipe':
      return shapeOf(definition.out).type === 'dyn' ? shapeOf(definition.in) : shapeOf(definition.out);
    default:
      return UNKNOWN;
  }
}

function isInteger(definition: Definition): boolean {
  const formats = [definition.format, ...(definition.checks ?? []).map((check) => check._zod?.def?.format)];
  return formats.some((format) => format === 'safeint' || format === 'int32' || format === 'uint32');
}

function faultOf(error: unknown, otherwise: string): WhenFault {
  if (error instanceof ParseError || error instanceof CelTypeError || error instanceof EvaluationError) {
    return { code: 'PS1401', severity: 'error', offset: error.range?.start ?? 0, message: `this condition: ${lowerFirst(error.summary)}` };
  }
  return { code: 'PS1401', severity: 'error', offset: 0, message: otherwise };
}

function explained(error: unknown, source: string, shapes: ReadonlyMap<string, Shape>, { stage }: StageFields): WhenFault {
  const fault = faultOf(error, 'this condition is wrong');
  if (!(error instanceof CelTypeError)) return fault;
  const compared = /no such overload: (\S+) (?:==|!=|<=?|>=?|in) (\S+)/.exec(error.summary);
  if (compared !== null) {
    const [, left, right] = compared;
    return {
      ...fault,
      message: `this condition compares ${left} with ${right}`,
      help: valuesHelp(source.slice(error.range?.start, error.range?.end), shapes),
    };
  }
  if (error.code === 'unknown_variable' || error.code === 'no_such_key') {
    const name = /: (\S+)$/.exec(error.summary)?.[1] ?? '';
    const known = error.code === 'unknown_variable' ? shapes.keys() : (membersNear(source, error, shapes) ?? []);
    const near = didYouMean(name, known);
    return {
      ...fault,
      message: `${stage} has no field "${name}"`,
      help: near === undefined ? undefined : `did you mean "${near}"?`,
    };
  }
  return fault;
}

/** The fields of whatever stands before the dot. */
function membersNear(source: string, error: CelTypeError, shapes: ReadonlyMap<string, Shape>): Iterable<string> | undefined {
  const before = /([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\.\w*$/.exec(source.slice(0, error.range?.end))?.[1]?.split('.') ?? [];
  let fields: ReadonlyMap<string, Shape> | undefined = shapes;
  for (const step of before) fields = fields?.get(step)?.fields;
  return fields?.keys();
}

function valuesHelp(comparison: string, shapes: ReadonlyMap<string, Shape>): string | undefined {
  const path = /^\s*([A-Za-z_][\w.]*)/.exec(comparison)?.[1];
  const values = path === undefined ? undefined : shapeAt(path.split('.'), shapes)?.values;
  return values === undefined ? undefined : `${path} is one of ${values.map((value) => `"${value}"`).join(', ')}`;
}

function shapeAt(path: readonly string[], shapes: ReadonlyMap<string, Shape>): Shape | undefined {
  let fields: ReadonlyMap<string, Shape> | undefined = shapes;
  let shape: Shape | undefined;
  for (const step of path) {
    shape = fields?.get(step);
    fields = shape?.fields;
  }
  return shape;
}

/** Linear time: a pattern that needs more is refused where it stands. */
function checkPatterns(node: ASTNode, tell: (fault: WhenFault) => void): void {
  if (node.op === 'rcall' && node.args[0] === 'matches') {
    const [argument] = node.args[2];
    if (argument?.op === 'value' && typeof argument.args === 'string') {
      const pattern = compilePattern(argument.args);
      if (isFault(pattern)) tell({ code: 'PS1402', severity: 'error', offset: argument.range.start, message: pattern.fault });
    }
  }
  eachChild(node, (child) => checkPatterns(child, tell));
}

/** A comparison with a text that the field never has can never hold. */
function checkValues(node: ASTNode, shapes: ReadonlyMap<string, Shape>, tell: (fault: WhenFault) => void): void {
  if (node.op === '==') {
    for (const [field, literal] of [node.args, [node.args[1], node.args[0]] as const]) {
      const path = pathOf(field);
      const values = path === undefined ? undefined : shapeAt(path, shapes)?.values;
      if (values === undefined || literal.op !== 'value' || typeof literal.args !== 'string' || values.includes(literal.args)) continue;
      const near = didYouMean(literal.args, values);
      tell({
        code: 'PS2107',
        severity: 'warning',
        offset: literal.range.start,
        message: `this can never hold: "${literal.args}" is not a value of ${path!.join('.')}`,
        help: near === undefined ? `it is ${oneOf(values)}` : `did you mean "${near}"?`,
      });
    }
  }
  eachChild(node, (child) => checkValues(child, shapes, tell));
}

function pathOf(node: ASTNode): readonly string[] | undefined {
  if (node.op === 'id') return [node.args];
  if (node.op !== '.') return undefined;
  const before = pathOf(node.args[0]);
  return before === undefined ? undefined : [...before, node.args[1]];
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** The names that an expression may start with, beside those of the message. */
export const WHEN_NAMES: readonly string[] = FIELD_ROOTS;
