import { didYouMean } from '../diagnostics/index.js';
import type { Context } from './context.js';
import { FIELD_ROOTS, readerOf, type ReadField, rootOf } from './field.js';
import { compilePattern, isFault } from './pattern.js';

/** Decides whether a plugin runs. */
export type Decide = (context: Context) => boolean;

/** What is wrong with a block of conditions, and where inside it. */
export interface ConditionFault {
  readonly code: 'PS1401' | 'PS1402';
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly help?: string | undefined;
}

type Path = readonly (string | number)[];
type Fields = Readonly<Record<string, unknown>>;
type Test = (value: unknown) => boolean;

const GROUPS = ['any', 'all', 'not'];
/** Of these the first that is there counts, in this order. */
const EQUALITY = ['equals', 'not_equals', 'in', 'not_in'];
/** Of these every one that is there must hold. */
const COMPARISONS = ['gt', 'gte', 'lt', 'lte', 'contains', 'starts_with', 'ends_with', 'matches', 'exists'];
const OPERATORS = [...EQUALITY, ...COMPARISONS];

/** Compiles a block of conditions to one function; every fault is handed to `report`, and then the function is undefined. */
export function compileConditions(block: unknown, report: (fault: ConditionFault) => void): Decide | undefined {
  const compiler = new Compiler(report);
  const decide = compiler.group(block, []);
  return compiler.faults > 0 ? undefined : decide;
}

class Compiler {
  faults = 0;

  constructor(private readonly report: (fault: ConditionFault) => void) {}

  group(block: unknown, path: Path): Decide {
    if (!isMap(block)) return this.wrong(path, `conditions are a map with any, all or not; this is ${nameOf(block)}`);
    const stray = Object.keys(block).find((key) => !GROUPS.includes(key));
    if (stray !== undefined) return this.wrong([...path, stray], `conditions have no key "${stray}"`, meant(stray, GROUPS));
    if ('not' in block) {
      if ('any' in block || 'all' in block) return this.wrong([...path, 'not'], 'not stands alone: put any or all inside it');
      const negated = Array.isArray(block['not']) ? this.anyOf(block['not'], [...path, 'not']) : this.item(block['not'], [...path, 'not']);
      return (context) => !negated(context);
    }
    if ('any' in block) {
      if ('all' in block) this.list(block['all'], [...path, 'all']);
      return this.anyOf(block['any'], [...path, 'any']);
    }
    if ('all' in block) {
      const items = this.list(block['all'], [...path, 'all']);
      return (context) => items.every((item) => item(context));
    }
    return this.wrong(path, 'conditions need any, all or not');
  }

  private anyOf(items: unknown, path: Path): Decide {
    const compiled = this.list(items, path);
    return (context) => compiled.some((item) => item(context));
  }

  private list(items: unknown, path: Path): readonly Decide[] {
    if (!Array.isArray(items)) return [this.wrong(path, `this is a list of conditions, found ${nameOf(items)}`)];
    return items.map((item: unknown, index) => this.item(item, [...path, index]));
  }

  private item(item: unknown, path: Path): Decide {
    if (!isMap(item)) return this.wrong(path, `a condition is a map with field and an operator; this is ${nameOf(item)}`);
    if (GROUPS.some((key) => key in item)) return this.group(item, path);
    const read = this.field(item, path);
    if ('operator' in item && typeof item['operator'] === 'string') return this.wordedOperator(item['operator'], path);
    const stray = Object.keys(item).find((key) => key !== 'field' && !OPERATORS.includes(key));
    if (stray !== undefined) return this.wrong([...path, stray], `a condition has no operator "${stray}"`, meant(stray, OPERATORS));
    const tests = this.tests(item, path);
    if (tests.length === 0) return this.wrong(path, `a condition needs an operator: ${OPERATORS.join(', ')}`);
    if (tests.length === 1) {
      const only = tests[0]!;
      return (context) => only(read(context));
    }
    return (context) => {
      const value = read(context);
      return tests.every((test) => test(value));
    };
  }

  /** The form of other systems, `operator: gt` beside `value: 3`, has one key too many: what is to be typed is said. */
  private wordedOperator(operator: string, path: Path): Decide {
    const known = OPERATORS.includes(operator) ? operator : (didYouMean(operator, OPERATORS) ?? 'equals');
    return this.wrong(
      [...path, 'operator'],
      'a condition has no key "operator": the operator is a key itself',
      `write { field: ..., ${known}: ... }; operators are ${OPERATORS.join(', ')}`,
    );
  }

  private field(item: Fields, path: Path): ReadField {
    const field = item['field'];
    if (typeof field !== 'string' || field === '') {
      this.wrong(path, 'a condition needs a field');
      return () => null;
    }
    const named = NAMED.get(field);
    if (named !== undefined) return named;
    if (rootOf(field) === undefined) {
      const known = [...NAMED.keys(), ...FIELD_ROOTS];
      this.wrong([...path, 'field'], `there is no field "${field}"`, meant(field, known) ?? 'paths start with message., data. or headers.');
    }
    return readerOf(field);
  }

  private tests(item: Fields, path: Path): readonly Test[] {
    const equality = EQUALITY.find((operator) => operator in item);
    const comparisons = COMPARISONS.filter((operator) => operator in item);
    if (equality !== undefined && comparisons.length > 0) {
      this.wrong([...path, comparisons[0]!], `${equality} and ${comparisons[0]} do not stand in one condition: write two under all`);
    }
    const operators = equality === undefined ? comparisons : [equality];
    return operators.map((operator) => this.test(operator, item[operator], [...path, operator]));
  }

  private test(operator: string, operand: unknown, path: Path): Test {
    switch (operator) {
      case 'equals':
        return (value) => same(value, operand);
      case 'not_equals':
        return (value) => !same(value, operand);
      case 'in':
      case 'not_in':
        return this.membership(operator, operand, path);
      case 'gt':
        return this.ordered(operator, operand, path, (order) => order > 0);
      case 'gte':
        return this.ordered(operator, operand, path, (order) => order >= 0);
      case 'lt':
        return this.ordered(operator, operand, path, (order) => order < 0);
      case 'lte':
        return this.ordered(operator, operand, path, (order) => order <= 0);
      case 'contains':
        return (value) => (typeof value === 'string' ? typeof operand === 'string' && value.includes(operand) : listHas(value, operand));
      case 'starts_with':
        return this.textual(operator, operand, path, (value, text) => value.startsWith(text));
      case 'ends_with':
        return this.textual(operator, operand, path, (value, text) => value.endsWith(text));
      case 'matches':
        return this.pattern(operand, path);
      default:
        if (typeof operand !== 'boolean') this.wrong(path, `exists takes true or false, found ${nameOf(operand)}`);
        return (value) => (value !== null && value !== undefined) === operand;
    }
  }

  private membership(operator: string, operand: unknown, path: Path): Test {
    if (!Array.isArray(operand)) {
      this.wrong(path, `${operator} takes a list, found ${nameOf(operand)}`);
      return () => false;
    }
    return operator === 'in' ? (value) => listHas(operand, value) : (value) => !listHas(operand, value);
  }

  private ordered(operator: string, operand: unknown, path: Path, holds: (order: number) => boolean): Test {
    if (typeof operand === 'number') return (value) => typeof value === 'number' && holds(value - operand);
    if (typeof operand === 'string') return (value) => typeof value === 'string' && holds(value < operand ? -1 : value > operand ? 1 : 0);
    this.wrong(path, `${operator} takes a number or a text, found ${nameOf(operand)}`);
    return () => false;
  }

  private textual(operator: string, operand: unknown, path: Path, holds: (value: string, text: string) => boolean): Test {
    if (typeof operand !== 'string') {
      this.wrong(path, `${operator} takes a text, found ${nameOf(operand)}`);
      return () => false;
    }
    return (value) => typeof value === 'string' && holds(value, operand);
  }

  private pattern(operand: unknown, path: Path): Test {
    if (typeof operand !== 'string') {
      this.wrong(path, `matches takes a pattern, found ${nameOf(operand)}`);
      return () => false;
    }
    const pattern = compilePattern(operand);
    if (isFault(pattern)) {
      this.fault({ code: 'PS1402', path, message: pattern.fault });
      return () => false;
    }
    return (value) => typeof value === 'string' && pattern.find(value);
  }

  private wrong(path: Path, message: string, suggestion?: string): Decide {
    this.fault({ code: 'PS1401', path, message, help: suggestion });
    return () => false;
  }

  private fault(fault: ConditionFault): void {
    this.faults += 1;
    this.report(fault);
  }
}

/** Fields with names of their own: those of the first task are null without a task. */
const NAMED: ReadonlyMap<string, ReadField> = new Map([
  ['task_id', ofFirstTask('task_id')],
  ['task_status', ofFirstTask('status')],
  ['task_name', ofFirstTask('task_name')],
  ['assignment_id', firstOf(ofFirstTask('assignment_id'), readerOf('data.assignment_id'), readerOf('message.assignment_id'))],
]);

function ofFirstTask(column: string): ReadField {
  return readerOf(`data.entities.tasks[0].${column}`);
}

function firstOf(...readers: readonly ReadField[]): ReadField {
  return (context) => {
    for (const read of readers) {
      const value = read(context);
      if (value !== null) return value;
    }
    return null;
  };
}

function meant(word: string, known: readonly string[]): string | undefined {
  const near = didYouMean(word, known);
  return near === undefined ? undefined : `did you mean "${near}"?`;
}

function isMap(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function nameOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  return typeof value === 'string' ? `the text "${value}"` : `${typeof value} ${JSON.stringify(value)}`;
}

function listHas(items: unknown, value: unknown): boolean {
  return Array.isArray(items) && items.some((item) => same(item, value));
}

/** Equal in type and value; lists and maps by their members. */
function same(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) {
    return (left ?? null) === null && (right ?? null) === null;
  }
  if (Array.isArray(left) || Array.isArray(right)) {
    return Array.isArray(left) && Array.isArray(right) && left.length === right.length && left.every((item, at) => same(item, right[at]));
  }
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && same((left as Fields)[key], (right as Fields)[key]))
  );
}
