import { type ASTNode, Environment } from '@marcbachmann/cel-js';
import { compileConditions, type Decide } from './conditions.js';
import type { Pluggable } from './definition.js';
import type { PluginEntry } from './entry.js';
import { splitConfig } from './entry-plugin.js';
import { compileExpression, eachChild } from './expression.js';

type Path = readonly (string | number)[];

/** One condition of an entry: what holds of a context, or does not, by itself. */
export interface SingleCondition {
  /** As a reader would say it. */
  readonly text: string;
  /** Where it stands in the entry. */
  readonly path: Path;
  /** Where in the text that stands there; none where it is all of it. */
  readonly offset?: number;
  readonly holds: Decide;
}

/** The conditions of an entry taken apart: event types, what stands under any, all and not, and what `&&`, `||` and `!` connect. */
export function conditionsOf(entry: PluginEntry, pluggable: Pluggable): readonly SingleCondition[] {
  const { conditions, conditionsAt } = splitConfig(entry, pluggable);
  return [...eventTypes(entry), ...items(conditions, conditionsAt), ...operands(entry.when)];
}

function eventTypes({ event_types: types = [] }: PluginEntry): readonly SingleCondition[] {
  return types
    .map((type, index) => ({ type, index }))
    .filter(({ type }) => type !== '*')
    .map(({ type, index }) => ({
      text: `event_type == ${JSON.stringify(type)}`,
      path: ['event_types', index],
      holds: (context) => context.event_type === type,
    }));
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function items(block: unknown, path: Path): readonly SingleCondition[] {
  if (Array.isArray(block)) return block.flatMap((item: unknown, index) => items(item, [...path, index]));
  if (!isMap(block)) return [];
  const groups = ['any', 'all', 'not'].filter((key) => key in block);
  if (groups.length > 0) return groups.flatMap((key) => items(block[key], [...path, key]));
  const { field, ...tests } = block;
  // A condition that cannot be compiled is an error of the configuration, which is told when it is assembled.
  const holds = compileConditions({ all: [block] }, () => undefined);
  if (holds === undefined) return [];
  const text = Object.entries(tests).map(([operator, operand]) => `${operator} ${JSON.stringify(operand)}`);
  return [{ text: `${String(field)} ${text.join(' and ')}`, path, holds }];
}

function operands(source: string | undefined): readonly SingleCondition[] {
  const ast = source === undefined ? undefined : parsed(source);
  if (ast === undefined) return [];
  return leaves(ast).map((node) => {
    const value = compileExpression(node);
    return {
      text: nodeText(node),
      path: ['when'],
      offset: node.range.start,
      holds: (context) => {
        try {
          return value(context) === true;
        } catch {
          return false; // the condition as a whole reports what it cannot evaluate
        }
      },
    };
  });
}

function parsed(source: string): ASTNode | undefined {
  try {
    return new Environment({ unlistedVariablesAreDyn: true, enableOptionalTypes: true }).parse(source).ast;
  } catch {
    return undefined; // told when the entry is assembled
  }
}

function leaves(node: ASTNode): readonly ASTNode[] {
  if (node.op === '&&' || node.op === '||') return node.args.flatMap(leaves);
  if (node.op === '!_') return leaves(node.args);
  if (node.op === '?:') return [leaves(node.args[0]), leaves(node.args[1]), leaves(node.args[2])].flat();
  return node.op === 'value' ? [] : [node];
}

/** The text of a node; the parser leaves out brackets at its end. */
function nodeText({ input, range }: ASTNode): string {
  const text = input.slice(range.start, range.end);
  const open = [...text].filter((sign) => sign === '(').length - [...text].filter((sign) => sign === ')').length;
  return text + ')'.repeat(Math.max(0, open));
}

/** A stretch of an expression, and what would change its meaning. */
export interface ExpressionChange {
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
  /** The condition or connection that it belongs to. */
  readonly within: string;
}

const FLIPPED: Readonly<Record<string, readonly string[]>> = {
  '==': ['!='],
  '!=': ['=='],
  '<': ['>=', '<='],
  '<=': ['>', '<'],
  '>': ['<=', '>='],
  '>=': ['<', '>'],
  '&&': ['||'],
  '||': ['&&'],
};

/** Changes to an expression, one at a time: comparisons and connections flipped, other conditions negated, whole numbers moved by one. */
export function expressionChanges(source: string): readonly ExpressionChange[] {
  const ast = parsed(source);
  if (ast === undefined) return [];
  const conditions = new Set(leaves(ast));
  const changes: ExpressionChange[] = [];
  const visit = (node: ASTNode, outer: string): void => {
    const within = node.op === '&&' || node.op === '||' || conditions.has(node) ? nodeText(node) : outer;
    const flipped = FLIPPED[node.op];
    if (flipped !== undefined && Array.isArray(node.args)) {
      const [left, right] = node.args as readonly [ASTNode, ASTNode];
      const start = source.indexOf(node.op, left.range.end);
      if (start >= 0 && start < right.range.start) {
        changes.push(...flipped.map((replacement) => ({ start, end: start + node.op.length, replacement, within })));
      }
    } else if (conditions.has(node)) {
      const text = source.slice(node.range.start, node.range.end);
      if (balanced(text)) changes.push({ start: node.range.start, end: node.range.end, replacement: `!(${text})`, within });
    }
    if (node.op === 'value' && typeof node.args === 'bigint') {
      const { start, end } = node.range;
      changes.push(...[1n, -1n].map((step) => ({ start, end, replacement: String((node.args as bigint) + step), within })));
    }
    eachChild(node, (child) => visit(child, within));
  };
  visit(ast, source);
  return changes;
}

function balanced(text: string): boolean {
  let depth = 0;
  for (const sign of text) {
    if (sign === '(') depth += 1;
    else if (sign === ')') depth -= 1;
    if (depth < 0) return false;
  }
  return depth === 0;
}
