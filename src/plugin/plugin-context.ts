import type { PlannedAction } from './action.js';
import type { Context } from './context.js';
import { readerOf, type ReadField } from './field.js';
import type { Passed } from './passed.js';

type Data = Readonly<Record<string, unknown>>;

/** What makes a context; what is left out has the value that the comment names. */
export interface ContextFields<M = unknown, D extends Data = Data> {
  readonly domain: string;
  readonly stage: string;
  /** None. */
  readonly worker?: string | undefined;
  readonly message: M;
  readonly event_id: string;
  /** Null. */
  readonly event_type?: string | null;
  /** Null. */
  readonly project_id?: string | null;
  /** Empty. */
  readonly data?: D;
  /** The record's own headers: plugins see them, publishes do not repeat them. Empty. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Headers that every publish carries, as if a plugin had added them. Empty. */
  readonly added_headers?: Readonly<Record<string, string>>;
  /** Null. */
  readonly error?: unknown;
  /** 0. */
  readonly retry_count?: number;
  /** The time when it is first read. */
  readonly timestamp?: Date;
}

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});
const NO_DATA: Readonly<Record<string, unknown>> = Object.freeze({});
const NO_ACTIONS: readonly PlannedAction[] = Object.freeze([]);

const readers = new Map<string, ReadField>();
const MAX_READERS = 1_000;

/**
 * What a plugin sees. It is never changed in place: a plugin that adds a header or amends the message makes a new one for those after it.
 * The actions that were asked for travel on it until they are done, so it is a `Passed` as well, and a delivery for which nobody asked
 * anything goes through a chain as the object that came in.
 */
export class PluginContext<M = unknown, D extends Data = Data> implements Context<M, D>, Passed<Context<M, D>> {
  readonly domain: string;
  readonly stage: string;
  readonly worker: string | undefined;
  readonly message: M;
  readonly event_id: string;
  readonly event_type: string | null;
  readonly project_id: string | null;
  readonly data: D;
  readonly headers: Readonly<Record<string, string>>;
  /** The part of the headers that publishes carry. */
  readonly added_headers: Readonly<Record<string, string>>;
  readonly error: unknown;
  readonly retry_count: number;
  readonly actions: readonly PlannedAction[] = NO_ACTIONS;
  readonly filtered: Passed['filtered'] = undefined;
  readonly verdict: Passed['verdict'] = undefined;
  /** The context that this one was made of: they share a time. */
  private readonly before: { readonly timestamp: Date } | undefined;
  private time: Date | undefined;

  constructor(fields: ContextFields<M, D>) {
    const before = fields instanceof PluginContext ? (fields as PluginContext) : undefined;
    const added = before === undefined ? (fields.added_headers ?? NO_HEADERS) : NO_HEADERS;
    this.domain = fields.domain;
    this.stage = fields.stage;
    this.worker = fields.worker;
    this.message = fields.message;
    this.event_id = fields.event_id;
    this.event_type = fields.event_type ?? null;
    this.project_id = fields.project_id ?? null;
    this.data = fields.data ?? (NO_DATA as D);
    this.headers = added === NO_HEADERS ? (fields.headers ?? NO_HEADERS) : { ...fields.headers, ...added };
    this.added_headers = added;
    this.error = fields.error ?? null;
    this.retry_count = fields.retry_count ?? 0;
    this.before = before;
    this.time = before === undefined ? fields.timestamp : undefined;
  }

  /** Any context as one that chains work on; one that is already is handed back. */
  static of<M, D extends Data>(context: Context<M, D>): PluginContext<M, D> {
    if (context instanceof PluginContext) return context as PluginContext<M, D>;
    const made = new PluginContext<M, D>(context);
    copySymbols(context, made);
    return made;
  }

  get context(): this {
    return this;
  }

  get timestamp(): Date {
    this.time ??= this.before?.timestamp ?? new Date();
    return this.time;
  }

  /** The value at a path such as `message.attachments[0].name`, `headers.x-source` or `event_type`; null when there is none. */
  getField(path: string): unknown {
    let read = readers.get(path);
    if (read === undefined) {
      read = readerOf(path);
      if (readers.size < MAX_READERS) readers.set(path, read);
    }
    return read(this);
  }

  /** ClaimX: the entities of an enriched event, or null. */
  get entities(): Readonly<Record<string, unknown>> | null {
    const entities = (this.data as { readonly entities?: unknown }).entities;
    return typeof entities === 'object' && entities !== null ? (entities as Readonly<Record<string, unknown>>) : null;
  }

  /** ClaimX: the task rows of an enriched event. */
  get tasks(): readonly Readonly<Record<string, unknown>>[] {
    const tasks = this.entities?.['tasks'];
    return Array.isArray(tasks) ? (tasks as readonly Readonly<Record<string, unknown>>[]) : [];
  }

  /** ClaimX: the first task row, or null. */
  get firstTask(): Readonly<Record<string, unknown>> | null {
    return this.tasks[0] ?? null;
  }

  withMessage(message: M): PluginContext<M, D> {
    return this.changed({ message });
  }

  withHeader(key: string, value: string): PluginContext<M, D> {
    return this.changed({
      headers: { ...this.headers, [key]: value },
      added_headers: { ...this.added_headers, [key]: value },
    });
  }

  withActions(actions: readonly PlannedAction[]): PluginContext<M, D> {
    return this.changed({ actions: actions.length === 0 ? NO_ACTIONS : actions });
  }

  withFiltered(filtered: NonNullable<Passed['filtered']>): PluginContext<M, D> {
    return this.changed({ filtered });
  }

  withVerdict(verdict: NonNullable<Passed['verdict']>): PluginContext<M, D> {
    return this.changed({ verdict });
  }

  /** With the actions and decisions of something passed that was made elsewhere. */
  with({ actions, filtered, verdict }: Passed): PluginContext<M, D> {
    return this.changed({ actions, filtered, verdict });
  }

  private changed(changes: Changes<M>): PluginContext<M, D> {
    const made = new PluginContext<M, D>(this) as Changeable<M> & PluginContext<M, D>;
    made.message = changes.message === undefined ? this.message : changes.message;
    made.headers = changes.headers ?? this.headers;
    made.added_headers = changes.added_headers ?? this.added_headers;
    made.actions = changes.actions ?? this.actions;
    made.filtered = changes.filtered ?? this.filtered;
    made.verdict = changes.verdict ?? this.verdict;
    copySymbols(this, made);
    return made;
  }
}

interface Changes<M> {
  readonly message?: M;
  readonly headers?: Readonly<Record<string, string>>;
  readonly added_headers?: Readonly<Record<string, string>>;
  readonly actions?: readonly PlannedAction[];
  readonly filtered?: Passed['filtered'];
  readonly verdict?: Passed['verdict'];
}

/** The members that differ from context to context, while one is being made. */
interface Changeable<M> {
  message: M;
  headers: Readonly<Record<string, string>>;
  added_headers: Readonly<Record<string, string>>;
  actions: readonly PlannedAction[];
  filtered: Passed['filtered'];
  verdict: Passed['verdict'];
}

/** What a worker noted on a context under a symbol stays with it. */
function copySymbols(from: object, to: object): void {
  for (const symbol of Object.getOwnPropertySymbols(from)) Reflect.set(to, symbol, Reflect.get(from, symbol));
}
