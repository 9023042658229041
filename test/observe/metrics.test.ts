import { describe, expect, it } from 'vitest';
import { CATEGORIES } from '../../src/diagnostics/index.js';
import {
  actionMeter,
  blobMeter,
  boundedLog,
  breakerMeter,
  createMetrics,
  createUserMetrics,
  downloadMeter,
  METRICS,
  metricsReference,
  type MetricSpec,
  producedMeter,
  silentLogger,
  tableMeter,
  userMetricName,
  watchCommits,
  watchConsumer,
  watchMarks,
  watchPlugins,
  workerMeter,
} from '../../src/observe/index.js';

const consumer = {
  state: () => ({
    inFlight: 2,
    inFlightBytes: 2048,
    assigned: [{}, {}, {}] as never,
    paused: 1,
    lag: 41,
    fault: 'disk_full',
    commitAgeMs: 1500,
    progressFill: 0.5,
  }),
};

/** Every recorder used once, as a worker uses them. */
function everythingOnce() {
  const metrics = createMetrics();
  const worker = workerMeter(metrics, 'w');
  worker.entered();
  worker.entered();
  worker.left('delivered');
  worker.failed('transient');
  worker.retried('transient', 300_000);
  worker.deadLettered('permanent');
  worker.took('flatten', 4);
  watchConsumer(metrics, 'w', consumer);
  watchCommits(metrics, 'w', [consumer], { count: 100 });
  watchPlugins(metrics, { domain: 'xact', counts: () => ({ esx_processor: { act: 5, pass: 7 } }) });
  watchMarks(metrics, 'seen', { stats: () => ({ size: 9, evicted: 4 }) });
  breakerMeter(metrics, 'http', () => 'half_open').called('rejected');
  actionMeter(metrics, 'xact').performed('publish_to_topic', 'done', 12);
  const downloads = downloadMeter(metrics, 'w');
  downloads.started();
  downloads.started();
  downloads.ended('done', 1000, 70);
  blobMeter(metrics).ended('put', 'done', 500, 20);
  tableMeter(metrics, 'xact_events').committed('done', 17, 90);
  producedMeter(metrics).produced('xact.dlq', 64);
  metrics.gauge('penstock_build_info', { version: '1.2.3' }, () => 1);
  createUserMetrics(metrics).count('bad', {}, Number.NaN);
  const log = boundedLog(silentLogger, {
    burst: 1,
    now: () => 0,
    onSuppressed: () => metrics.counter('penstock_log_lines_suppressed_total', { logger: 'w' }).add(),
  });
  log.write('info', 'k', 'once');
  log.write('info', 'k', 'twice');
  return metrics;
}

/** The series of one name, as `labels value`. */
function series(text: string, name: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .map((line) => line.slice(name.length));
}

describe('metrics', () => {
  const names = Object.entries<MetricSpec>(METRICS);

  it.each(names)('G11: %s is emitted with its labels, and some of it is not zero', async (name, spec) => {
    const text = await everythingOnce().text();
    expect(text).toContain(`# TYPE ${name} ${spec.type}`);
    const found = series(text, spec.type === 'histogram' ? `${name}_count` : name);
    expect(found).not.toHaveLength(0);
    expect(found.some((line) => Number(line.split(' ').at(-1)) > 0)).toBe(true);
    for (const line of found) {
      const labels = [...line.matchAll(/(\w+)="/g)].map((match) => match[1]);
      expect(labels.sort()).toEqual([...spec.labels].sort());
    }
  });

  it('G11: exports what was counted, under the right labels', async () => {
    const text = await everythingOnce().text();
    expect(series(text, 'penstock_deliveries_entered_total')).toEqual(['{worker="w"} 2']);
    expect(series(text, 'penstock_deliveries_in_flight')).toEqual(['{worker="w"} 1']);
    expect(series(text, 'penstock_deliveries_left_total')).toContain('{worker="w",outcome="delivered"} 1');
    expect(series(text, 'penstock_consumer_lag')).toEqual(['{worker="w"} 41']);
    expect(series(text, 'penstock_consumer_assigned_partitions')).toEqual(['{worker="w"} 3']);
    expect(series(text, 'penstock_consumer_faulted')).toEqual(['{worker="w"} 1']);
    expect(series(text, 'penstock_plugin_calls_total')).toEqual([
      '{domain="xact",plugin="esx_processor",verdict="act"} 5',
      '{domain="xact",plugin="esx_processor",verdict="pass"} 7',
    ]);
    expect(series(text, 'penstock_circuit_breaker_state')).toEqual(['{component="http"} 2']);
    expect(series(text, 'penstock_downloads_in_flight')).toEqual(['{worker="w"} 1']);
    expect(series(text, 'penstock_table_rows_total')).toEqual(['{table="xact_events"} 17']);
    expect(series(text, 'penstock_dedupe_evictions_total')).toEqual(['{store="seen"} 4']);
  });

  it('counts a histogram into every bucket that holds it', async () => {
    const metrics = createMetrics();
    const steps = metrics.histogram('penstock_step_duration_seconds', { worker: 'w', step: 's' });
    for (const seconds of [0.0005, 0.02, 0.02, 99]) steps.observe(seconds);
    const text = await metrics.text();
    const bucket = (le: string) =>
      series(text, 'penstock_step_duration_seconds_bucket')
        .find((line) => line.includes(`le="${le}"`))
        ?.split(' ')[1];
    expect([bucket('0.001'), bucket('0.01'), bucket('0.05'), bucket('30'), bucket('+Inf')]).toEqual(['1', '1', '3', '3', '4']);
    expect(series(text, 'penstock_step_duration_seconds_sum')[0]).toContain(String(0.0005 + 0.02 + 0.02 + 99));
  });

  it('adds up two readers of one series, and forgets one that was stopped', async () => {
    const metrics = createMetrics();
    const counts = (act: number) => ({ domain: 'xact', counts: () => ({ p: { act } }) });
    watchPlugins(metrics, counts(2));
    const stop = watchPlugins(metrics, counts(3));
    expect(series(await metrics.text(), 'penstock_plugin_calls_total')).toEqual(['{domain="xact",plugin="p",verdict="act"} 5']);
    stop();
    expect(series(await metrics.text(), 'penstock_plugin_calls_total')).toEqual(['{domain="xact",plugin="p",verdict="act"} 2']);
  });

  it('has no label that is an id, and its doors add up', () => {
    for (const [name, { labels }] of names) {
      expect(name).toMatch(/^penstock_[a-z_]+$/);
      for (const label of labels) expect(label).not.toMatch(/(^|_)id$|trace|offset|key|url|message$/);
    }
    const meter = workerMeter(createMetrics(), 'w');
    for (let count = 0; count < 5; count += 1) meter.entered();
    for (const category of CATEGORIES) meter.failed(category);
    meter.left('filtered');
    meter.left('dead_lettered');
    expect(meter.doors()).toEqual({ entered: 5, left: { delivered: 0, filtered: 1, retried: 0, dead_lettered: 1, released: 0 } });
  });

  it("does not let a dead letter's own words become a label", async () => {
    const metrics = createMetrics();
    workerMeter(metrics, 'w').deadLettered('trace 4711 was odd');
    const counted = series(await metrics.text(), 'penstock_dead_letters_total').filter((line) => !line.endsWith(' 0'));
    expect(counted).toEqual(['{worker="w",reason="other"} 1']);
  });

  it('G11: dead letters are zero before there is one, so that the first of them are an increase', async () => {
    const metrics = createMetrics();
    const worker = workerMeter(metrics, 'w');
    const before = series(await metrics.text(), 'penstock_dead_letters_total');
    expect(before).toContain('{worker="w",reason="permanent"} 0');
    worker.deadLettered('unreadable');
    const after = series(await metrics.text(), 'penstock_dead_letters_total');
    expect(after.map((line) => line.split(' ')[0])).toEqual(before.map((line) => line.split(' ')[0]));
    expect(after).toContain('{worker="w",reason="unreadable"} 1');
  });

  it('describes every metric in the reference', () => {
    const reference = metricsReference();
    for (const [name, { help }] of names) {
      expect(reference).toContain(`| \`${name}\` |`);
      expect(reference).toContain(help);
    }
  });
});

describe("plugins' metrics", () => {
  it('makes names and labels fit for Prometheus', async () => {
    expect(userMetricName('Claims: high value!')).toBe('penstock_user_Claims_high_value_');
    expect(userMetricName('penstock_user_seen')).toBe('penstock_user_seen');
    const metrics = createMetrics();
    const user = createUserMetrics(metrics);
    user.count('events total', { 'file-type': 'esx', le: '5' });
    user.count('events total', { 'file-type': 'esx', le: '5' }, 2);
    user.count('1st');
    expect(series(await metrics.text(), 'penstock_user_events_total')).toEqual(['{file_type="esx",label_le="5"} 3']);
    expect(series(await metrics.text(), 'penstock_user_1st')).toEqual([' 1']);
  });

  it('caps label sets and metrics, and says what it refused', async () => {
    const metrics = createMetrics();
    const user = createUserMetrics(metrics, { maxLabelSets: 2, maxMetrics: 1 });
    for (const id of ['a', 'b', 'c', 'd']) user.count('by_id', { id });
    user.count('another');
    user.count('by_id', { id: 'a' }, -1);
    const text = await metrics.text();
    expect(series(text, 'penstock_user_by_id')).toEqual(['{id="a"} 1', '{id="b"} 1', '{id="other"} 2']);
    expect(text).not.toContain('penstock_user_another');
    expect(series(text, 'penstock_user_metrics_refused_total').sort()).toEqual([
      '{cause="too_many_label_sets"} 2',
      '{cause="too_many_metrics"} 1',
      '{cause="value"} 1',
    ]);
  });
});
