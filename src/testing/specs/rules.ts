import type { Place } from '../../diagnostics/index.js';
import { conditionsOf, type SingleCondition } from '../../plugin/condition-list.js';
import type { PluginEntry } from '../../plugin/entry.js';
import type { Configurations } from './configuration.js';
import { entryKey, factsOf, placeIn, routeOf, routesOf } from './entry-facts.js';
import type { CaseResult, CaseWatcher } from './run-case.js';
import type { SpecCase } from './spec.js';

/** Something that a configuration says, and how often cases made it happen. */
export interface Rule {
  readonly plugin: string;
  readonly kind: 'plugin' | 'condition' | 'route' | 'filter';
  readonly text: string;
  readonly place: Place;
  /** By what must be seen: a condition true and false, a route taken, a plugin acting. */
  readonly seen: Readonly<Record<string, number>>;
}

/** What cases saw of the configurations they name. */
export interface RuleReport {
  /** By place. */
  readonly rules: readonly Rule[];
  /** How much must be seen, and how much was. */
  readonly points: { readonly all: number; readonly seen: number };
  readonly plugins: { readonly enabled: number; readonly disabled: number };
}

interface Counted extends Rule {
  readonly seen: Record<string, number>;
}

/** Collects which rules of their configurations cases make happen. Rules are those of the files: what `with` changes, is not one of them. */
export class RuleCoverage {
  private readonly rules = new Map<string, Counted>();
  private readonly disabled = new Set<string>();
  private readonly enabled = new Set<string>();
  private readonly conditions = new WeakMap<PluginEntry, readonly SingleCondition[]>();

  constructor(private readonly configurations: Configurations) {}

  /** What watches a case that is about to play. */
  async watch(one: SpecCase): Promise<CaseWatcher> {
    const { entries: written } = await this.configurations.loadUnchanged(one);
    for (const entry of written) this.list(entry);
    const { entries } = await this.configurations.load(one);
    const byName = new Map(entries.map((entry) => [entry.name, entry]));
    return {
      reached: (entry, context) => {
        for (const { text, holds } of this.conditionsOf(entry)) this.count(entry, 'condition', text, holds(context) ? 'true' : 'false');
      },
      passed: ({ actions }) => {
        for (const { plugin, action } of actions) {
          const entry = byName.get(plugin);
          if (entry === undefined) continue;
          this.count(entry, 'route', routeOf(action), 'taken');
          this.count(entry, 'route', action.type, 'taken');
        }
      },
    };
  }

  /** What plugins decided in a case that has played. */
  async ended({ case: one, counts }: CaseResult): Promise<void> {
    const { entries } = await this.configurations.load(one);
    for (const entry of entries) {
      const verdicts = counts[entry.name];
      if (verdicts === undefined) continue;
      const acted = ['act', 'filter', 'amend'].reduce((sum, verdict) => sum + (verdicts[verdict] ?? 0), 0);
      if (acted > 0) this.count(entry, 'plugin', 'acts', 'taken');
      if ((verdicts['filter'] ?? 0) > 0) this.count(entry, 'filter', 'filters', 'taken');
    }
  }

  report(): RuleReport {
    const rules = [...this.rules.values()].sort((a, b) => {
      const [x, y] = [a.place, b.place];
      return x.file === y.file ? x.line - y.line || x.column - y.column : x.file < y.file ? -1 : 1;
    });
    const points = rules.flatMap(({ seen }) => Object.values(seen));
    return {
      rules,
      points: { all: points.length, seen: points.filter((count) => count > 0).length },
      plugins: { enabled: this.enabled.size, disabled: this.disabled.size },
    };
  }

  private list(entry: PluginEntry): void {
    const key = entryKey(entry);
    if (this.enabled.has(key) || this.disabled.has(key)) return;
    (entry.enabled ? this.enabled : this.disabled).add(key);
    const facts = entry.enabled ? factsOf(entry, this.configurations.catalogue) : undefined;
    if (facts === undefined) return;
    const add = (kind: Rule['kind'], text: string, place: Place, seen: Record<string, number>): void => {
      this.rules.set(`${key} ${kind} ${text}`, { plugin: entry.name, kind, text, place, seen });
    };
    const routes = routesOf(entry, facts);
    // A plugin that says what it does is seen acting by that; one that says nothing must be seen doing something.
    if (routes.length === 0 && facts.spec.effects?.filters !== true) add('plugin', 'acts', placeIn(entry, []), { taken: 0 });
    if (facts.spec.effects?.filters === true) add('filter', 'filters', placeIn(entry, []), { taken: 0 });
    for (const { text, path, offset } of this.conditionsOf(entry))
      add('condition', text, placeIn(entry, path, offset), { true: 0, false: 0 });
    for (const { route, path } of routes) add('route', route, placeIn(entry, path), { taken: 0 });
  }

  private conditionsOf(entry: PluginEntry): readonly SingleCondition[] {
    const known = this.conditions.get(entry);
    if (known !== undefined) return known;
    const facts = factsOf(entry, this.configurations.catalogue);
    const found = facts === undefined ? [] : conditionsOf(entry, facts.pluggable);
    this.conditions.set(entry, found);
    return found;
  }

  private count(entry: PluginEntry, kind: Rule['kind'], text: string, what: string): void {
    const rule = this.rules.get(`${entryKey(entry)} ${kind} ${text}`);
    if (rule !== undefined && rule.seen[what] !== undefined) rule.seen[what] += 1;
  }
}
