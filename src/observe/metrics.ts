import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { Cell, Distribution } from './cells.js';
import { type LabelsOf, METRICS, type MetricNameOf, type MetricSpec } from './metric-table.js';

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export type Samples = () => Iterable<Sample> | Promise<Iterable<Sample>>;

/**
 * The metrics of one process. Counting happens in cells, which are plain numbers; they are read when somebody scrapes. Names and labels come
 * from the table of `METRICS`. A series once asked for stays, so labels must have few values.
 */
export interface Metrics {
  /** The cell of one series; the same for the same labels. */
  counter<N extends MetricNameOf<'counter'>>(name: N, labels: LabelsOf<N>): Cell;
  histogram<N extends MetricNameOf<'histogram'>>(name: N, labels: LabelsOf<N>): Distribution;
  /** A gauge is read on scrape, until the returned function is called. */
  gauge<N extends MetricNameOf<'gauge'>>(name: N, labels: LabelsOf<N>, read: () => number): () => void;
  /** Series of a counter or gauge whose labels are known only on scrape, until the returned function is called. */
  series<N extends MetricNameOf<'counter' | 'gauge'>>(
    name: N,
    read: () => Iterable<{ readonly labels: LabelsOf<N>; readonly value: number }>,
  ): () => void;
  /** A counter outside the table, named by a user: `name` must be a metric name. */
  external(name: string, help: string, read: Samples): void;
  /** Everything in Prometheus' text format. */
  text(): Promise<string>;
  readonly contentType: string;
}

export interface MetricsOptions {
  /** Adds those of the process: memory, processor time, event loop. Defaults to false. */
  readonly ofProcess?: boolean;
}

class ReadCounter extends Counter {
  constructor(
    name: string,
    help: string,
    labelNames: readonly string[],
    registry: Registry,
    private readonly read: Samples,
  ) {
    super({ name, help, labelNames: [...labelNames], registers: [registry] });
  }

  override async get(): ReturnType<Counter['get']> {
    return { ...(await super.get()), values: [...(await this.read())].map(({ labels, value }) => ({ labels, value })) };
  }
}

class ReadGauge extends Gauge {
  constructor(
    name: string,
    help: string,
    labelNames: readonly string[],
    registry: Registry,
    private readonly read: Samples,
  ) {
    super({ name, help, labelNames: [...labelNames], registers: [registry] });
  }

  override async get(): ReturnType<Gauge['get']> {
    return { ...(await super.get()), values: [...(await this.read())].map(({ labels, value }) => ({ labels, value })) };
  }
}

interface DistributionSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly distribution: Distribution;
}

class ReadHistogram extends Histogram {
  constructor(
    private readonly family: string,
    private readonly says: string,
    labelNames: readonly string[],
    buckets: readonly number[],
    registry: Registry,
    private readonly read: () => Iterable<DistributionSeries>,
  ) {
    super({ name: family, help: says, labelNames: [...labelNames], buckets: [...buckets], registers: [registry] });
  }

  override async get(): ReturnType<Histogram['get']> {
    const values = [...this.read()].flatMap((series) => this.exported(series));
    return { name: this.family, help: this.says, type: 'histogram', values, aggregator: 'sum' } as unknown as Awaited<
      ReturnType<Histogram['get']>
    >;
  }

  /** The registry asks histograms by this name when it writes text. */
  getForPromString(): ReturnType<Histogram['get']> {
    return this.get();
  }

  private exported({ labels, distribution }: DistributionSeries): Awaited<ReturnType<Histogram['get']>>['values'] {
    const values: Awaited<ReturnType<Histogram['get']>>['values'] = [];
    let below = 0;
    distribution.bounds.forEach((bound, index) => {
      below += distribution.counts[index]!;
      values.push({ metricName: `${this.family}_bucket`, labels: { ...labels, le: bound }, value: below });
    });
    values.push({ metricName: `${this.family}_bucket`, labels: { ...labels, le: '+Inf' }, value: distribution.count });
    values.push({ metricName: `${this.family}_sum`, labels, value: distribution.sum });
    values.push({ metricName: `${this.family}_count`, labels, value: distribution.count });
    return values;
  }
}

class Series<T> {
  private readonly kept = new Map<string, { readonly labels: Readonly<Record<string, string>>; readonly item: T }>();

  constructor(
    private readonly names: readonly string[],
    private readonly make: () => T,
  ) {}

  /** Asked for with each message: values in the order of the metric's labels are all that tells two series apart. */
  get(labels: Readonly<Record<string, string>>): T {
    let key = '';
    for (const name of this.names) key += `${labels[name]}\n`;
    let entry = this.kept.get(key);
    if (entry === undefined) {
      entry = { labels, item: this.make() };
      this.kept.set(key, entry);
    }
    return entry.item;
  }

  all(): Iterable<{ readonly labels: Readonly<Record<string, string>>; readonly item: T }> {
    return this.kept.values();
  }
}

function keyOf(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function createMetrics({ ofProcess = false }: MetricsOptions = {}): Metrics {
  const registry = new Registry();
  const counters = new Map<string, Series<Cell>>();
  const histograms = new Map<string, Series<Distribution>>();
  const readers = new Map<string, Set<() => Iterable<Sample>>>();
  if (ofProcess) collectDefaultMetrics({ register: registry, prefix: 'penstock_' });

  for (const [name, spec] of Object.entries<MetricSpec>(METRICS)) {
    const read = new Set<() => Iterable<Sample>>();
    readers.set(name, read);
    if (spec.type === 'histogram') {
      const series = new Series(spec.labels, () => new Distribution(spec.buckets ?? []));
      histograms.set(name, series);
      new ReadHistogram(name, spec.help, spec.labels, spec.buckets ?? [], registry, function* () {
        for (const { labels, item } of series.all()) yield { labels, distribution: item };
      });
      continue;
    }
    const cells = new Series(spec.labels, () => new Cell());
    counters.set(name, cells);
    const samples = (): Iterable<Sample> => merged(cells, read);
    if (spec.type === 'counter') new ReadCounter(name, spec.help, spec.labels, registry, samples);
    else new ReadGauge(name, spec.help, spec.labels, registry, samples);
  }

  const add = (name: string, read: () => Iterable<Sample>): (() => void) => {
    const set = readers.get(name)!;
    set.add(read);
    return () => void set.delete(read);
  };

  return {
    counter: (name, labels) => counters.get(name)!.get(labels),
    histogram: (name, labels) => histograms.get(name)!.get(labels),
    gauge: (name, labels, read) => add(name, () => [{ labels, value: read() }]),
    series: (name, read) => add(name, read),
    external: (name, help, read) => void new ReadCounter(name, help, [], registry, read),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

/** Cells and readers of one name together; equal labels are added up, because a series may be exported once only. */
function merged(cells: Series<Cell>, read: ReadonlySet<() => Iterable<Sample>>): Iterable<Sample> {
  const total = new Map<string, { readonly labels: Sample['labels']; value: number }>();
  const put = (labels: Sample['labels'], value: number): void => {
    const key = keyOf(labels);
    const known = total.get(key);
    if (known === undefined) total.set(key, { labels, value });
    else known.value += value;
  };
  for (const { labels, item } of cells.all()) put(labels, item.value);
  for (const reader of read) for (const { labels, value } of reader()) put(labels, value);
  return total.values();
}
