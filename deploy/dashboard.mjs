// Writes the Grafana dashboard from the table of metrics: `node deploy/dashboard.mjs`. With `--check` it writes nothing and fails when the file is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import process, { argv } from 'node:process';
import { fileURLToPath } from 'node:url';

const FILE = new URL('./grafana/dashboards/penstock.json', import.meta.url);

/** Rows of the dashboard: the metrics whose names begin so, in the order of the table. */
const ROWS = [
  [
    'Deliveries',
    ['penstock_deliveries_', 'penstock_failures_', 'penstock_retries_', 'penstock_retry_', 'penstock_dead_letters_', 'penstock_step_'],
  ],
  ['Log', ['penstock_consumer_', 'penstock_records_', 'penstock_produced_']],
  ['Plugins and actions', ['penstock_plugin_', 'penstock_action', 'penstock_user_']],
  ['Files and tables', ['penstock_download', 'penstock_blob_', 'penstock_table_']],
  ['Marks, breakers, log lines', ['penstock_dedupe_', 'penstock_circuit_', 'penstock_log_']],
];

const UNITS = { seconds: 's', bytes: 'bytes', ratio: 'percentunit' };

/** One panel for each metric: counters by the second, gauges as they are, histograms as their 95th percentile. */
export function dashboard(metrics) {
  const panels = [];
  let y = 0;
  for (const [title, starts] of ROWS) {
    panels.push({ id: panels.length + 1, type: 'row', title, collapsed: false, panels: [], gridPos: { x: 0, y, w: 24, h: 1 } });
    y += 1;
    const names = Object.keys(metrics).filter((name) => starts.some((start) => name.startsWith(start)));
    names.forEach((name, at) => {
      const gridPos = { x: (at % 3) * 8, y: y + Math.floor(at / 3) * 7, w: 8, h: 7 };
      panels.push({ id: panels.length + 1, ...panelOf(name, metrics[name]), gridPos });
    });
    y += Math.ceil(names.length / 3) * 7;
  }
  return {
    uid: 'penstock',
    title: 'Penstock',
    schemaVersion: 39,
    version: 1,
    editable: true,
    refresh: '10s',
    time: { from: 'now-1h', to: 'now' },
    templating: {
      list: [
        {
          name: 'worker',
          type: 'query',
          label: 'worker',
          datasource: { type: 'prometheus', uid: 'prometheus' },
          query: 'label_values(penstock_deliveries_entered_total, worker)',
          refresh: 2,
          multi: true,
          includeAll: true,
          allValue: '.*',
          current: { text: 'All', value: '$__all' },
        },
      ],
    },
    panels,
  };
}

/** Metrics that no row shows. */
export function leftOut(metrics) {
  const starts = ROWS.flatMap(([, names]) => names);
  return Object.keys(metrics).filter((name) => !starts.some((start) => name.startsWith(start)));
}

function panelOf(name, { type, help, labels, unit }) {
  const filter = labels.includes('worker') ? '{worker=~"$worker"}' : '';
  const legend = labels.map((label) => `{{${label}}}`).join(' ') || name;
  const by = `by (${labels.join(', ')})`;
  const expr = {
    counter: `sum ${by} (rate(${name}${filter}[$__rate_interval]))`,
    gauge: `${name.endsWith('_seconds') || name.endsWith('_fill') || name.endsWith('_state') || name.endsWith('_faulted') ? 'max' : 'sum'} ${by} (${name}${filter})`,
    histogram: `histogram_quantile(0.95, sum by (${['le', ...labels].join(', ')}) (rate(${name}_bucket${filter}[$__rate_interval])))`,
  }[type];
  const shown = UNITS[unit] ?? 'short';
  return {
    type: 'timeseries',
    title: titleOf(name, type),
    description: help,
    datasource: { type: 'prometheus', uid: 'prometheus' },
    targets: [{ refId: 'A', expr, legendFormat: legend }],
    fieldConfig: { defaults: { unit: type === 'counter' ? (unit === 'bytes' ? 'Bps' : 'cps') : shown, min: 0 }, overrides: [] },
    options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
  };
}

function titleOf(name, type) {
  const words = name
    .replace(/^penstock_/, '')
    .replace(/_total$/, '')
    .replaceAll('_', ' ');
  return { counter: `${words}, a second`, gauge: words, histogram: `${words}, 95 of 100 below` }[type];
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const { METRICS } = await import('../dist/src/observe/metric-table.js');
  const text = `${JSON.stringify(dashboard(METRICS), null, 2)}\n`;
  if (!argv.includes('--check')) writeFileSync(FILE, text);
  else if (readFileSync(FILE, 'utf8') !== text) {
    process.stderr.write('deploy/grafana/dashboards/penstock.json is stale: run node deploy/dashboard.mjs\n');
    process.exitCode = 1;
  }
}
