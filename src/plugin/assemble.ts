import { z } from 'zod';
import { type Code, didYouMean, type Diagnostic, fit, type Severity } from '../diagnostics/index.js';
import type { ActionType } from './action.js';
import { type CheckMessage, OBSERVING } from './apply-result.js';
import { chainSet, type ChainSetOptions, type LoadedChainSet } from './chain-set.js';
import { compileConditions, type Decide } from './conditions.js';
import type { Context } from './context.js';
import { actionsOf, type AnySpec, type Catalogue, type Pluggable } from './definition.js';
import type { PluginEntry } from './entry.js';
import { findPlugin, splitConfig } from './entry-plugin.js';
import { isDefinition, specOf } from './from-class.js';
import { allOf, eventTypesGate, runtimeOf } from './instance.js';
import { inOrder } from './order.js';
import type { PluginRuntime } from './runtime.js';
import { satisfies } from './version-range.js';
import { compileWhen } from './when.js';

/** A stage of the domain, and the schemas of what it carries, as far as they are known. */
export interface StageSpec {
  readonly name: string;
  readonly message?: z.ZodType | undefined;
  readonly data?: z.ZodType | undefined;
}

export interface AssembleOptions extends Omit<ChainSetOptions, 'checkOf'> {
  readonly domain: string;
  /** In the order in which they run when nothing else decides: those of global files first. */
  readonly entries: readonly PluginEntry[];
  readonly catalogue: Catalogue;
  /** The stages of the domain, in the order in which a delivery comes by. */
  readonly stages: readonly (string | StageSpec)[];
  /** The actions that can be performed here. Defaults to all. */
  readonly actions?: readonly ActionType[];
  /** Told of each context that reaches an entry, before its conditions are asked. */
  readonly onReached?: (entry: string, context: Context) => void;
}

export interface Assembled {
  /** Without the entries that have errors. */
  readonly set: LoadedChainSet;
  readonly diagnostics: readonly Diagnostic[];
}

/** Every stage that a plugin may name, whatever the domain. */
const ALL_STAGES: readonly string[] = [
  'event_ingest',
  'enrichment_queued',
  'enrichment_complete',
  'entity_write',
  'download_queued',
  'download_complete',
  'upload_complete',
  'result_process',
  'delta_write',
  'retry',
  'dlq',
  'error',
];

/** Puts the plugins of a domain in their order, checks all that can be checked before a message comes, and makes the chains. No side effects. */
export function assemble(options: AssembleOptions): Assembled {
  const assembler = new Assembler(options);
  return { set: assembler.set(), diagnostics: assembler.diagnostics };
}

interface Standing {
  readonly name: string;
  readonly entry: PluginEntry;
  readonly runtime: PluginRuntime;
  readonly priority: number;
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly stages: ReadonlySet<string>;
}

type Path = readonly (string | number)[];

class Assembler {
  readonly diagnostics: Diagnostic[] = [];
  private readonly stages: readonly StageSpec[];

  constructor(private readonly options: AssembleOptions) {
    this.stages = options.stages.map((stage) => (typeof stage === 'string' ? { name: stage } : stage));
  }

  set(): LoadedChainSet {
    const { domain, entries } = this.options;
    const standing: Standing[] = [];
    const names = new Set<string>();
    for (const entry of entries) {
      if (names.has(entry.name)) {
        this.find(
          entry,
          ['name'],
          'PS1202',
          `two plugins of ${domain} are called "${entry.name}"`,
          'give one of them another name, and its type',
        );
        continue;
      }
      names.add(entry.name);
      const plugin = entry.enabled ? this.stand(entry) : undefined;
      if (plugin !== undefined) standing.push(plugin);
    }
    for (const plugin of standing) this.checkNeighbours(plugin, names);
    const ordered = inOrder(standing, (fault) => {
      const entry = entries.find(({ name }) => name === fault.name);
      if (entry !== undefined) this.find(entry, [fault.key], 'PS1204', fault.message, fault.help);
    });
    const {
      entries: _entries,
      catalogue: _catalogue,
      stages: _stages,
      actions: _actions,
      domain: _domain,
      onReached: _told,
      ...chains
    } = this.options;
    return chainSet(
      domain,
      this.stages.map(({ name }) => name),
      ordered,
      { ...chains, checkOf: (stage) => this.checkOf(stage) },
    );
  }

  private stand(entry: PluginEntry): Standing | undefined {
    const before = this.errors();
    const pluggable = entry.plugin ?? findPlugin(this.options.catalogue, entry.type);
    if (pluggable === undefined) {
      const near = didYouMean(entry.type, Object.keys(this.options.catalogue));
      this.find(
        entry,
        [entry.type === entry.name ? 'name' : 'type'],
        'PS1203',
        `no plugin is called "${entry.type}"`,
        near === undefined ? undefined : `did you mean "${near}"?`,
      );
      return undefined;
    }
    const { config, conditions, conditionsAt } = splitConfig(entry, pluggable);
    const spec = this.specOf(entry, pluggable, config);
    if (spec === undefined) return undefined;
    if (!this.belongs(entry, spec)) return undefined;
    const stages = this.stagesOf(entry, spec);
    const checked = this.checkedConfig(entry, spec, config);
    const gate = this.told(entry.name, this.gateOf(entry, spec, stages, conditions, conditionsAt));
    if (checked !== undefined) this.checkEffects(entry, spec, stages, checked.value);
    if (this.errors() > before || checked === undefined) return undefined;
    const priority = entry.priority ?? spec.priority ?? 100;
    const runtime = this.make(entry, spec, checked.value, gate, priority);
    if (runtime === undefined) return undefined;
    return {
      name: entry.name,
      entry,
      runtime,
      priority,
      before: entry.before ?? spec.before ?? [],
      after: entry.after ?? spec.after ?? [],
      stages,
    };
  }

  private specOf(entry: PluginEntry, pluggable: Pluggable, config: unknown): AnySpec | undefined {
    try {
      return specOf(pluggable, config);
    } catch (error) {
      this.find(entry, ['config'], 'PS1201', `the plugin ${entry.type} cannot be made: ${wordingOf(error)}`);
      return undefined;
    }
  }

  /** Whether the entry is for this domain; an entry of the domain's own file that is not, is an error. */
  private belongs(entry: PluginEntry, spec: AnySpec): boolean {
    const { domain } = this.options;
    if (entry.domains !== undefined) {
      if (entry.domains.some((name) => name.toLowerCase() === domain)) return true;
      if (entry.scope === 'domain') this.find(entry, ['domains'], 'PS1205', `${entry.name} is not for ${domain}, whose file this is`);
      return false;
    }
    if (spec.domains === undefined || spec.domains.length === 0 || spec.domains.includes(domain)) return true;
    if (entry.scope === 'domain') {
      this.find(entry, ['name'], 'PS1205', `the plugin ${entry.type} belongs to ${spec.domains.join(', ')}, not to ${domain}`);
    }
    return false;
  }

  private stagesOf(entry: PluginEntry, spec: AnySpec): ReadonlySet<string> {
    const known = this.stages.map(({ name }) => name);
    const asked = entry.stages ?? spec.stages;
    if (asked === undefined || asked.length === 0) return new Set(known);
    const here = new Set<string>();
    asked.forEach((written, index) => {
      const stage = written.toLowerCase();
      if (known.includes(stage)) here.add(stage);
      else if (entry.stages !== undefined && !(entry.scope === 'global' && ALL_STAGES.includes(stage))) {
        const near = didYouMean(stage, known);
        const help = near === undefined ? `it has ${known.join(', ')}` : `did you mean "${near}"?`;
        this.find(entry, ['stages', index], 'PS1205', `the domain ${this.options.domain} has no stage "${written}"`, help);
      }
    });
    if (here.size === 0 && entry.scope === 'domain' && this.options.entries.length > 0 && entry.stages === undefined) {
      this.find(
        entry,
        ['name'],
        'PS1205',
        `the plugin ${entry.type} runs at ${asked.join(', ')}, which ${this.options.domain} does not have`,
      );
    }
    return here;
  }

  private checkedConfig(entry: PluginEntry, spec: AnySpec, config: unknown): { readonly value: unknown } | undefined {
    if (spec.config === undefined && !isDefinitionEntry(entry, this.options.catalogue)) return { value: config ?? {} };
    const { value, diagnostics } = fit(spec.config ?? z.strictObject({}), config ?? {}, {
      locate: (path, part) => entry.at(['config', ...path], part),
      title: `the config of ${entry.name}`,
    });
    this.diagnostics.push(...diagnostics);
    if (value === undefined) return undefined;
    for (const { code, path, message, help } of spec.warnings?.(value as never) ?? []) {
      this.find(entry, ['config', ...path], code, `${entry.name}: ${message}`, help, 'warning');
    }
    return { value };
  }

  private gateOf(
    entry: PluginEntry,
    spec: AnySpec,
    stages: ReadonlySet<string>,
    conditions: unknown,
    conditionsAt: Path,
  ): Decide | undefined {
    const types = entry.event_types ?? spec.event_types;
    types?.forEach((type, index) => {
      if (type === '*' || !type.includes('*')) return;
      const message = `event types match exactly: no event is called "${type}"`;
      this.find(entry, ['event_types', index], 'PS2107', message, "use when: event_type.matches(...), or ['*'] for all", 'warning');
    });
    const compiled =
      conditions === undefined || conditions === null
        ? undefined
        : compileConditions(conditions, ({ code, path, message, help }) =>
            this.find(entry, [...conditionsAt, ...path], code, message, help),
          );
    const fields = this.stages.filter(({ name }) => stages.has(name)).map(({ name, message, data }) => ({ stage: name, message, data }));
    const when =
      entry.when === undefined
        ? undefined
        : compileWhen(entry.when, fields, ({ code, severity, offset, message, help }) =>
            this.find(entry, ['when'], code, message, help, severity, offset),
          );
    return allOf([eventTypesGate(types), compiled, when]);
  }

  private told(name: string, gate: Decide | undefined): Decide | undefined {
    const { onReached } = this.options;
    if (onReached === undefined) return gate;
    return (context) => {
      onReached(name, context);
      return gate === undefined || gate(context);
    };
  }

  private checkEffects(entry: PluginEntry, spec: AnySpec, stages: ReadonlySet<string>, config: unknown): void {
    const { actions } = this.options;
    const missing = actions === undefined ? undefined : actionsOf(spec, config).find((action) => !actions.includes(action));
    if (missing !== undefined) {
      this.find(
        entry,
        ['name'],
        'PS1206',
        `${entry.name} may ask for ${missing}, which nothing here performs`,
        'configure what performs it, or disable the plugin',
      );
    }
    if (spec.effects?.filters !== true) return;
    const observing = [...stages].find((stage) => OBSERVING.has(stage));
    if (observing !== undefined) {
      this.find(
        entry,
        [entry.stages === undefined ? 'name' : 'stages'],
        'PS1207',
        `${entry.name} filters, which ${observing} does not allow: it only observes`,
      );
    }
    for (const stage of stages) {
      if (OBSERVING.has(stage) && entry.on_error !== undefined && entry.on_error !== 'continue') {
        this.find(entry, ['on_error'], 'PS1207', `at ${stage} a failing plugin never stops a delivery`, 'take on_error away', 'warning');
      }
    }
  }

  private make(entry: PluginEntry, spec: AnySpec, config: unknown, gate: Decide | undefined, priority: number): PluginRuntime | undefined {
    if (entry.version !== undefined && satisfies(spec.version, entry.version) !== true) {
      this.find(entry, ['version'], 'PS1201', `${entry.type} has version ${spec.version}, which is not ${entry.version}`);
      return undefined;
    }
    try {
      return runtimeOf({
        spec,
        config,
        gate,
        type: spec.name,
        priority,
        options: {
          name: entry.name,
          ...(entry.on_error === undefined ? {} : { onError: entry.on_error }),
          ...(entry.timeout === undefined ? {} : { timeoutMs: entry.timeout }),
          ...(entry.order === undefined ? {} : { order: entry.order }),
          ...(entry.mode === undefined ? {} : { mode: entry.mode }),
          ...(entry.required === undefined ? {} : { required: entry.required }),
          ...(entry.circuit_breaker === undefined ? {} : { breaker: entry.circuit_breaker }),
        },
        policy: { retry: entry.retry, breaker: entry.circuit_breaker, rate: entry.rate_limit, concurrency: entry.concurrency },
      });
    } catch (error) {
      this.find(entry, ['config'], 'PS1201', `the plugin ${entry.type} cannot be made: ${wordingOf(error)}`);
      return undefined;
    }
  }

  private checkNeighbours({ entry }: Standing, names: ReadonlySet<string>): void {
    for (const key of ['before', 'after'] as const) {
      entry[key]?.forEach((name, index) => {
        if (names.has(name)) return;
        const near = didYouMean(name, names);
        this.find(
          entry,
          [key, index],
          'PS1204',
          `${entry.name} wants to run ${key} "${name}", which is not there`,
          near === undefined ? undefined : `did you mean "${near}"?`,
        );
      });
    }
  }

  private checkOf(stage: string): CheckMessage | undefined {
    const schema = this.stages.find(({ name }) => name === stage)?.message;
    if (schema === undefined) return undefined;
    return (message) => {
      const parsed = schema.safeParse(message);
      if (parsed.success) return undefined;
      const [issue] = parsed.error.issues;
      return `${issue?.path.join('.') ?? 'message'}: ${issue?.message ?? 'wrong'}`;
    };
  }

  private errors(): number {
    return this.diagnostics.filter(({ severity }) => severity === 'error').length;
  }

  private find(
    entry: PluginEntry,
    path: Path,
    code: Code,
    message: string,
    help?: string,
    severity: Severity = 'error',
    offset?: number,
  ): void {
    const place = entry.at(path, 'value', offset);
    this.diagnostics.push({
      code,
      severity,
      file: place?.file,
      line: place?.line,
      column: place?.column,
      endLine: place?.endLine,
      endColumn: place?.endColumn,
      message,
      ...(help === undefined ? {} : { help }),
    });
  }
}

function isDefinitionEntry(entry: PluginEntry, catalogue: Catalogue): boolean {
  const pluggable = entry.plugin ?? findPlugin(catalogue, entry.type);
  return pluggable !== undefined && isDefinition(pluggable);
}

function wordingOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
