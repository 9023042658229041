import { type ASTNode, Environment, serialize } from '@marcbachmann/cel-js';
import type { Context } from './context.js';
import { FIELD_ROOTS } from './field.js';
import { compilePattern, isFault, type Pattern } from './pattern.js';

type Value = (context: Context) => unknown;

/** A method call or comparison that its operands do not allow. */
class Inapplicable extends Error {
  override readonly name = 'Inapplicable';
}

const ROOTS: ReadonlySet<string> = new Set(FIELD_ROOTS);
/** Everything that works without look-back, so that a pattern can be had in linear time. */
const LINEAR = 'linearMatches';

/**
 * A parsed expression as a function. What expressions mostly are (comparisons of fields with literals, `&&`, `||`, `!`, `in`, `has`, `size`,
 * the text methods) becomes closures; what is left (macros, arithmetic, times) is evaluated by the CEL library. In the closures a member
 * that is not there reads as null.
 */
export function compileExpression(ast: ASTNode): Value {
  return closure(ast) ?? evaluated(ast);
}

/** A name: a field of the context, else one of the message's own. */
export function resolveName(context: Context, name: string): unknown {
  if (ROOTS.has(name)) return (context as unknown as Record<string, unknown>)[name] ?? null;
  return memberOf(context.message, name);
}

/** Undefined when the node is none of what closures are made for. */
function closure(node: ASTNode): Value | undefined {
  switch (node.op) {
    case 'value': {
      const value: unknown = typeof node.args === 'bigint' ? Number(node.args) : node.args;
      return () => value;
    }
    case 'id': {
      const name = node.args;
      return (context) => resolveName(context, name);
    }
    case '.':
      return map(node.args[0], (value) => memberOf(value, node.args[1]));
    case '[]':
      return map2(node.args[0], node.args[1], (value, key) => itemOf(value, key));
    case '&&':
      return both(node.args[0], node.args[1], (left, right) => (context) => truth(left(context)) && truth(right(context)));
    case '||':
      return both(node.args[0], node.args[1], (left, right) => (context) => truth(left(context)) || truth(right(context)));
    case '!_':
      return map(node.args, (value) => !truth(value));
    case '-_':
      return node.args.op === 'value' ? map(node.args, (value) => -(value as number)) : undefined;
    case '==':
      return map2(node.args[0], node.args[1], same);
    case '!=':
      return map2(node.args[0], node.args[1], (left, right) => !same(left, right));
    case '<':
      return map2(node.args[0], node.args[1], (left, right) => order(left, right) < 0);
    case '<=':
      return map2(node.args[0], node.args[1], (left, right) => order(left, right) <= 0);
    case '>':
      return map2(node.args[0], node.args[1], (left, right) => order(left, right) > 0);
    case '>=':
      return map2(node.args[0], node.args[1], (left, right) => order(left, right) >= 0);
    case 'in':
      return map2(node.args[0], node.args[1], contained);
    case 'list': {
      const items = node.args.map((item) => (item.op === 'value' ? closure(item) : undefined));
      if (items.some((item) => item === undefined)) return undefined;
      const list = items.map((item) => item!(undefined as never));
      return () => list;
    }
    case 'call':
      return called(node.args[0], node.args[1]);
    case 'rcall':
      return method(node.args[0], node.args[1], node.args[2]);
    default:
      return undefined;
  }
}

function called(name: string, args: readonly ASTNode[]): Value | undefined {
  const [only] = args;
  if (only === undefined || args.length !== 1) return undefined;
  if (name === 'size') return map(only, sizeOf);
  if (name === 'has' && only.op === '.') return map(only, (value) => value !== null && value !== undefined);
  return undefined;
}

const TEXT_METHODS: Readonly<Record<string, (text: string, argument: string) => boolean>> = {
  startsWith: (text, argument) => text.startsWith(argument),
  endsWith: (text, argument) => text.endsWith(argument),
  contains: (text, argument) => text.includes(argument),
};

function method(name: string, receiver: ASTNode, args: readonly ASTNode[]): Value | undefined {
  if (name === 'size' && args.length === 0) return map(receiver, sizeOf);
  const [argument] = args;
  if (argument === undefined || args.length !== 1) return undefined;
  if (name === 'matches' && argument.op === 'value' && typeof argument.args === 'string') {
    const pattern = compilePattern(argument.args);
    if (isFault(pattern)) return undefined;
    return map(receiver, (value) => pattern.find(textOf(value)));
  }
  const test = TEXT_METHODS[name];
  return test === undefined ? undefined : map2(receiver, argument, (value, other) => test(textOf(value), textOf(other)));
}

function map(node: ASTNode, change: (value: unknown) => unknown): Value | undefined {
  const value = closure(node);
  return value === undefined ? undefined : (context) => change(value(context));
}

function map2(one: ASTNode, other: ASTNode, join: (left: unknown, right: unknown) => unknown): Value | undefined {
  return both(one, other, (left, right) => (context) => join(left(context), right(context)));
}

function both(one: ASTNode, other: ASTNode, join: (left: Value, right: Value) => Value): Value | undefined {
  const left = closure(one);
  const right = closure(other);
  return left === undefined || right === undefined ? undefined : join(left, right);
}

function memberOf(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, key)) return null;
  return (value as Record<string, unknown>)[key] ?? null;
}

function itemOf(value: unknown, key: unknown): unknown {
  if (Array.isArray(value)) return typeof key === 'number' ? ((value[key] as unknown) ?? null) : null;
  return typeof key === 'string' ? memberOf(value, key) : null;
}

function truth(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new Inapplicable(`expected true or false, found ${kindOf(value)}`);
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new Inapplicable(`expected a text, found ${kindOf(value)}`);
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return Array.from(value).length;
  if (Array.isArray(value)) return value.length;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length;
  throw new Inapplicable(`${kindOf(value)} has no size`);
}

/** Comparable kinds are ordered; null compares with nothing. */
function order(left: unknown, right: unknown): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  if (typeof left === 'string' && typeof right === 'string') return left < right ? -1 : left > right ? 1 : 0;
  if (left instanceof Date && right instanceof Date) return left.getTime() - right.getTime();
  if (left === null || right === null) return Number.NaN;
  throw new Inapplicable(`cannot compare ${kindOf(left)} with ${kindOf(right)}`);
}

function contained(value: unknown, list: unknown): boolean {
  if (Array.isArray(list)) return list.some((item) => same(value, item));
  if (typeof list === 'object' && list !== null) return typeof value === 'string' && Object.hasOwn(list, value);
  throw new Inapplicable(`in needs a list or a map, found ${kindOf(list)}`);
}

function same(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (left instanceof Date || right instanceof Date)
    return left instanceof Date && right instanceof Date && left.getTime() === right.getTime();
  return JSON.stringify(left) === JSON.stringify(right);
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}

const patterns = new Map<string, Pattern>();
const MAX_PATTERNS = 1_000;

function linearMatches(text: string, source: string): boolean {
  let pattern = patterns.get(source);
  if (pattern === undefined) {
    const compiled = compilePattern(source);
    if (isFault(compiled)) throw new Inapplicable(compiled.fault);
    pattern = compiled;
    if (patterns.size < MAX_PATTERNS) patterns.set(source, pattern);
  }
  return pattern.find(text);
}

let library: Environment | undefined;

/** The library's own evaluation, with its pattern matching replaced by a linear one. */
function evaluated(ast: ASTNode): Value {
  library ??= new Environment({ unlistedVariablesAreDyn: true, enableOptionalTypes: true }).registerFunction(
    `string.${LINEAR}(string): bool`,
    linearMatches,
  );
  const names = new Set<string>();
  replaceMatches(ast, names);
  const evaluate = library.parse(serialize(ast));
  return (context) => {
    const values: Record<string, unknown> = {};
    for (const name of names) values[name] = resolveName(context, name);
    return evaluate(values) as unknown;
  };
}

/** Renames `matches` all through a tree, and gathers the names that it asks for. */
function replaceMatches(node: ASTNode, names: Set<string>): void {
  if (node.op === 'id') names.add(node.args);
  if (node.op === 'rcall' && node.args[0] === 'matches') node.args[0] = LINEAR;
  eachChild(node, (child) => replaceMatches(child, names));
}

/** Hands the nodes right below a node to `visit`. */
export function eachChild(node: ASTNode, visit: (child: ASTNode) => void): void {
  const walk = (part: unknown): void => {
    if (Array.isArray(part)) part.forEach(walk);
    else if (typeof part === 'object' && part !== null && 'op' in part) visit(part as ASTNode);
  };
  walk(node.args);
}
