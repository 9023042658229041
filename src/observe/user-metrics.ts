import { Cell } from './cells.js';
import type { Metrics, Sample } from './metrics.js';

export interface UserMetricsOptions {
  /** The most metrics that plugins may make. Defaults to 100. */
  readonly maxMetrics?: number;
  /** The most label sets of one metric; further ones are counted together as `other`. Defaults to 100. */
  readonly maxLabelSets?: number;
}

/** Counts what `metric` actions ask for. */
export interface UserMetrics {
  /** Adds `value` (default 1) to the series. Never throws: what cannot be counted as asked is counted in `penstock_user_metrics_refused_total`. */
  count(name: string, labels?: Readonly<Record<string, unknown>>, value?: number): void;
}

const PREFIX = 'penstock_user_';
const MAX_NAME = 100;
const MAX_VALUE = 64;
const MAX_LABELS = 8;

interface Family {
  readonly series: Map<string, { readonly labels: Sample['labels']; readonly cell: Cell }>;
}

/** A user's words as a metric's or label's name: what Prometheus does not allow becomes `_`. */
export function metricName(text: string): string {
  const name = text
    .trim()
    .replace(/[^A-Za-z0-9_]+/g, '_')
    .slice(0, MAX_NAME);
  return /^[A-Za-z_]/.test(name) ? name : `_${name}`;
}

/** The name of a plugin's metric as it is exported. */
export function userMetricName(text: string): string {
  return PREFIX + metricName(text).replace(/^(?:penstock_user_|_+)/, '');
}

/** Counters named by plugins, under `penstock_user_`, with bounded numbers of names and label sets. */
export function createUserMetrics(metrics: Metrics, { maxMetrics = 100, maxLabelSets = 100 }: UserMetricsOptions = {}): UserMetrics {
  const families = new Map<string, Family>();
  const refuse = (cause: string): void => metrics.counter('penstock_user_metrics_refused_total', { cause }).add();

  const familyOf = (name: string, asked: string): Family | undefined => {
    const known = families.get(name);
    if (known !== undefined) return known;
    if (families.size >= maxMetrics) return undefined;
    const made: Family = { series: new Map() };
    families.set(name, made);
    metrics.external(name, `The plugins' metric "${asked.replaceAll('"', "'").slice(0, MAX_NAME)}".`, () =>
      [...made.series.values()].map(({ labels, cell }) => ({ labels, value: cell.value })),
    );
    return made;
  };

  return {
    count(asked, labels = {}, value = 1) {
      if (!Number.isFinite(value) || value < 0) return refuse('value');
      const family = familyOf(userMetricName(asked), asked);
      if (family === undefined) return refuse('too_many_metrics');
      let wanted = cleaned(labels);
      let key = JSON.stringify(wanted);
      if (!family.series.has(key) && family.series.size >= maxLabelSets) {
        refuse('too_many_label_sets');
        wanted = Object.fromEntries(Object.keys(wanted).map((label) => [label, 'other']));
        key = `other ${JSON.stringify(Object.keys(wanted).length)}`;
      }
      let series = family.series.get(key);
      if (series === undefined) {
        series = { labels: wanted, cell: new Cell() };
        family.series.set(key, series);
      }
      series.cell.add(value);
    },
  };
}

function cleaned(labels: Readonly<Record<string, unknown>>): Record<string, string> {
  const entries = Object.entries(labels)
    .slice(0, MAX_LABELS)
    .map(([label, value]): [string, string] => [reserved(metricName(label)), asText(value).slice(0, MAX_VALUE)])
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries);
}

/** Two leading underscores are Prometheus' own, `le` and `quantile` mean something to it. */
function reserved(label: string): string {
  return label === 'le' || label === 'quantile' ? `label_${label}` : label.replace(/^_+/, '_');
}

function asText(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === null || value === undefined ? '' : (JSON.stringify(value) ?? '');
}
