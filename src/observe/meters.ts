import { type Category, CATEGORIES } from '../diagnostics/index.js';
import { OUTCOMES, type Outcome } from '../../operators/index.js';
import type { PluginCounts } from '../plugin/index.js';
import type { Consumer, ConsumerState, Marks } from '../transport/transport.js';
import type { Cell } from './cells.js';
import type { Metrics } from './metrics.js';

/** How many deliveries came into a worker, and by which doors they left. */
export interface Doors {
  readonly entered: number;
  readonly left: Readonly<Record<Outcome, number>>;
}

/** What a worker tells about its deliveries. */
export interface WorkerMeter {
  entered(): void;
  left(outcome: Outcome): void;
  failed(category: Category): void;
  retried(category: Category, delayMs: number): void;
  deadLettered(reason: string): void;
  /** A step took so many milliseconds. */
  took(step: string, milliseconds: number): void;
  doors(): Doors;
}

/** Reasons of dead letters that are exported by name; every other text counts as `other`, so that no message's own words become a label. */
const REASONS = [
  'permanent',
  'max_retries_exceeded',
  'exhausted',
  'unreadable',
  'too_large',
  'refused_url',
  'action_failed',
  'plugin',
  'unknown_target',
  'other',
] as const;

export function workerMeter(metrics: Metrics, worker: string): WorkerMeter {
  const entered = metrics.counter('penstock_deliveries_entered_total', { worker });
  const left = new Map(OUTCOMES.map((outcome) => [outcome, metrics.counter('penstock_deliveries_left_total', { worker, outcome })]));
  const failures = new Map(
    CATEGORIES.map((category) => [category, metrics.counter('penstock_failures_total', { worker, error_category: category })]),
  );
  // From the start, like all that alerts count: an increase is seen only of a series that was there before it.
  const deadLetters = new Map<string, Cell>(
    REASONS.map((reason) => [reason, metrics.counter('penstock_dead_letters_total', { worker, reason })]),
  );
  const delays = metrics.histogram('penstock_retry_delay_seconds', { worker });
  const allLeft = (): number => [...left.values()].reduce((sum, cell) => sum + cell.value, 0);
  metrics.gauge('penstock_deliveries_in_flight', { worker }, () => entered.value - allLeft());
  return {
    entered: () => entered.add(),
    left: (outcome) => left.get(outcome)!.add(),
    failed: (category) => failures.get(category)!.add(),
    retried: (category, delayMs) => {
      metrics.counter('penstock_retries_total', { worker, error_category: category }).add();
      delays.observe(delayMs / 1000);
    },
    deadLettered: (reason) => (deadLetters.get(reason) ?? deadLetters.get('other')!).add(),
    took: (step, milliseconds) => metrics.histogram('penstock_step_duration_seconds', { worker, step }).observe(milliseconds / 1000),
    doors: () => ({
      entered: entered.value,
      left: Object.fromEntries(OUTCOMES.map((outcome) => [outcome, left.get(outcome)!.value])) as Record<Outcome, number>,
    }),
  };
}

/** Exports what a consumer says of itself, until the returned function is called. */
export function watchConsumer(metrics: Metrics, worker: string, consumer: Pick<Consumer, 'state'>): () => void {
  const stops = [
    metrics.gauge('penstock_consumer_lag', { worker }, () => consumer.state().lag),
    metrics.gauge('penstock_consumer_assigned_partitions', { worker }, () => consumer.state().assigned.length),
    metrics.gauge('penstock_consumer_paused_partitions', { worker }, () => consumer.state().paused),
    metrics.gauge('penstock_consumer_in_flight_bytes', { worker }, () => consumer.state().inFlightBytes),
    metrics.gauge('penstock_consumer_faulted', { worker }, () => (consumer.state().fault === undefined ? 0 : 1)),
  ];
  return () => stops.forEach((stop) => stop());
}

/** Exports how the commits of a worker's consumers get on, until the returned function is called. */
export function watchCommits(
  metrics: Metrics,
  worker: string,
  consumers: readonly Pick<Consumer, 'state'>[],
  credits: { readonly count: number },
): () => void {
  const most = (read: (state: ConsumerState) => number | undefined) => () =>
    Math.max(0, ...consumers.map((consumer) => read(consumer.state()) ?? 0));
  const stops = [
    metrics.gauge(
      'penstock_consumer_commit_age_seconds',
      { worker },
      most(({ commitAgeMs = 0 }) => commitAgeMs / 1000),
    ),
    metrics.gauge(
      'penstock_consumer_progress_fill',
      { worker },
      most(({ progressFill }) => progressFill),
    ),
    metrics.gauge('penstock_consumer_credits', { worker }, () => credits.count * consumers.length),
  ];
  return () => stops.forEach((stop) => stop());
}

/** Exports the verdicts of a domain's plugins; several sets of one domain are added up. */
export function watchPlugins(metrics: Metrics, set: { readonly domain: string; counts(): PluginCounts }): () => void {
  return metrics.series('penstock_plugin_calls_total', () =>
    Object.entries(set.counts()).flatMap(([plugin, verdicts]) =>
      Object.entries(verdicts).map(([verdict, value]) => ({ labels: { domain: set.domain, plugin, verdict }, value })),
    ),
  );
}

/** Exports the size of a mark store. */
export function watchMarks(metrics: Metrics, store: string, marks: Pick<Marks, 'stats'>): () => void {
  const stops = [
    metrics.gauge('penstock_dedupe_marks', { store }, () => marks.stats().size),
    metrics.series('penstock_dedupe_evictions_total', () => [{ labels: { store }, value: marks.stats().evicted }]),
  ];
  return () => stops.forEach((stop) => stop());
}

export type BreakerState = 'closed' | 'open' | 'half_open';

const BREAKER_VALUES: Readonly<Record<BreakerState, number>> = { closed: 0, open: 1, half_open: 2 };

export interface BreakerMeter {
  called(result: 'success' | 'failure' | 'rejected'): void;
}

/** Exports a breaker's state and counts its calls. */
export function breakerMeter(metrics: Metrics, component: string, state: () => BreakerState): BreakerMeter {
  metrics.gauge('penstock_circuit_breaker_state', { component }, () => BREAKER_VALUES[state()]);
  return { called: (result) => metrics.counter('penstock_circuit_breaker_calls_total', { component, result }).add() };
}

export type ActionResult = 'done' | 'retried' | 'dead_lettered' | 'captured' | 'skipped';

export interface ActionMeter {
  performed(type: string, result: ActionResult, milliseconds?: number): void;
  /** Actions that were done or captured, by type. */
  counts(): Readonly<Record<string, number>>;
}

export function actionMeter(metrics: Metrics, domain: string): ActionMeter {
  const performed = new Map<string, number>();
  return {
    performed(type, result, milliseconds) {
      metrics.counter('penstock_actions_total', { domain, type, result }).add();
      if (milliseconds !== undefined) metrics.histogram('penstock_action_duration_seconds', { type }).observe(milliseconds / 1000);
      if (result === 'done' || result === 'captured') performed.set(type, (performed.get(type) ?? 0) + 1);
    },
    counts: () => Object.fromEntries(performed),
  };
}
