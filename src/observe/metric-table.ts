export type MetricType = 'counter' | 'gauge' | 'histogram';

export interface MetricSpec {
  readonly type: MetricType;
  /** What one series says, as a sentence. */
  readonly help: string;
  /** Names with few values each: never an id, never the text of an error. */
  readonly labels: readonly string[];
  readonly unit: string;
  /** Upper bounds of a histogram's buckets. */
  readonly buckets?: readonly number[];
}

const STEP_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30] as const;
const TRANSFER_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120] as const;
const DELAY_SECONDS = [0.1, 1, 10, 60, 300, 600, 1200, 2400, 3600] as const;

/** Every metric that Penstock exports, and the only place where their names stand. */
export const METRICS = {
  penstock_build_info: { type: 'gauge', help: 'The running version; always 1.', labels: ['version'], unit: '' },

  penstock_deliveries_entered_total: {
    type: 'counter',
    help: 'Deliveries that a worker took from the log; one that comes again counts again.',
    labels: ['worker'],
    unit: 'deliveries',
  },
  penstock_deliveries_left_total: {
    type: 'counter',
    help: 'Deliveries that left a worker, by door.',
    labels: ['worker', 'outcome'],
    unit: 'deliveries',
  },
  penstock_deliveries_in_flight: {
    type: 'gauge',
    help: 'Deliveries that entered a worker and have not left it.',
    labels: ['worker'],
    unit: 'deliveries',
  },
  penstock_failures_total: {
    type: 'counter',
    help: 'Items of a worker that failed, by category.',
    labels: ['worker', 'error_category'],
    unit: 'items',
  },
  penstock_retries_total: {
    type: 'counter',
    help: 'Items that a worker handed to a retry topic, by category.',
    labels: ['worker', 'error_category'],
    unit: 'items',
  },
  penstock_retry_delay_seconds: {
    type: 'histogram',
    help: 'The delay of a retry when it was scheduled.',
    labels: ['worker'],
    unit: 'seconds',
    buckets: DELAY_SECONDS,
  },
  penstock_dead_letters_total: {
    type: 'counter',
    help: 'Items that a worker dead-lettered, by kind of reason.',
    labels: ['worker', 'reason'],
    unit: 'items',
  },
  penstock_step_duration_seconds: {
    type: 'histogram',
    help: 'Time that a step of a worker took; `delivery` is the whole way from its log to its door.',
    labels: ['worker', 'step'],
    unit: 'seconds',
    buckets: STEP_SECONDS,
  },

  penstock_consumer_lag: {
    type: 'gauge',
    help: 'Records of the assigned partitions that are not yet handed out.',
    labels: ['worker'],
    unit: 'records',
  },
  penstock_consumer_assigned_partitions: {
    type: 'gauge',
    help: 'Partitions assigned to this member.',
    labels: ['worker'],
    unit: 'partitions',
  },
  penstock_consumer_paused_partitions: {
    type: 'gauge',
    help: 'Assigned partitions that hand out nothing just now.',
    labels: ['worker'],
    unit: 'partitions',
  },
  penstock_consumer_in_flight_bytes: {
    type: 'gauge',
    help: 'Bytes of the values that are handed out and unsettled.',
    labels: ['worker'],
    unit: 'bytes',
  },
  penstock_consumer_faulted: {
    type: 'gauge',
    help: '1 while a fault of the log stops the intake of a worker.',
    labels: ['worker'],
    unit: '',
  },
  penstock_consumer_commit_age_seconds: {
    type: 'gauge',
    help: 'How long the committed offset has stood still while deliveries behind it are out; the longest of the partitions.',
    labels: ['worker'],
    unit: 'seconds',
  },
  penstock_consumer_progress_fill: {
    type: 'gauge',
    help: 'How full the room for what has left beyond the committed offset is; the fullest partition. Intake slows down before it is full.',
    labels: ['worker'],
    unit: 'ratio',
  },
  penstock_consumer_credits: {
    type: 'gauge',
    help: 'The most deliveries that may be out at once.',
    labels: ['worker'],
    unit: 'items',
  },
  penstock_records_produced_total: { type: 'counter', help: 'Records written to the log.', labels: ['topic'], unit: 'records' },
  penstock_produced_bytes_total: { type: 'counter', help: 'Bytes of the values written to the log.', labels: ['topic'], unit: 'bytes' },

  penstock_plugin_calls_total: {
    type: 'counter',
    help: 'What a plugin decided, by verdict.',
    labels: ['domain', 'plugin', 'verdict'],
    unit: 'calls',
  },
  penstock_actions_total: {
    type: 'counter',
    help: 'Actions that were performed, by result (done, retried, dead_lettered, captured, skipped).',
    labels: ['domain', 'type', 'result'],
    unit: 'actions',
  },
  penstock_action_duration_seconds: {
    type: 'histogram',
    help: 'Time from the first attempt of an action to its end.',
    labels: ['type'],
    unit: 'seconds',
    buckets: STEP_SECONDS,
  },
  penstock_user_metrics_refused_total: {
    type: 'counter',
    help: 'Samples of metric actions that were not counted as asked, by cause.',
    labels: ['cause'],
    unit: 'samples',
  },

  penstock_downloads_total: {
    type: 'counter',
    help: 'Downloads that ended, by result (done or an error category).',
    labels: ['worker', 'result'],
    unit: 'downloads',
  },
  penstock_downloads_in_flight: { type: 'gauge', help: 'Downloads that run.', labels: ['worker'], unit: 'downloads' },
  penstock_download_bytes_total: { type: 'counter', help: 'Bytes of finished downloads.', labels: ['worker'], unit: 'bytes' },
  penstock_download_duration_seconds: {
    type: 'histogram',
    help: 'Time of a finished download.',
    labels: ['worker'],
    unit: 'seconds',
    buckets: TRANSFER_SECONDS,
  },
  penstock_blob_operations_total: {
    type: 'counter',
    help: 'Operations of the blob store, by result (done or an error category).',
    labels: ['operation', 'result'],
    unit: 'operations',
  },
  penstock_blob_bytes_total: { type: 'counter', help: 'Bytes moved by the blob store.', labels: ['operation'], unit: 'bytes' },
  penstock_blob_operation_duration_seconds: {
    type: 'histogram',
    help: 'Time of an operation of the blob store.',
    labels: ['operation'],
    unit: 'seconds',
    buckets: TRANSFER_SECONDS,
  },

  penstock_table_commits_total: {
    type: 'counter',
    help: 'Commits of a table, by result (done or an error category).',
    labels: ['table', 'result'],
    unit: 'commits',
  },
  penstock_table_rows_total: { type: 'counter', help: 'Rows that commits added or replaced.', labels: ['table'], unit: 'rows' },
  penstock_table_commit_duration_seconds: {
    type: 'histogram',
    help: 'Time of a commit.',
    labels: ['table'],
    unit: 'seconds',
    buckets: TRANSFER_SECONDS,
  },

  penstock_dedupe_marks: { type: 'gauge', help: 'Keys that a mark store remembers.', labels: ['store'], unit: 'keys' },
  penstock_dedupe_evictions_total: {
    type: 'counter',
    help: 'Keys that left a mark store early because it was full.',
    labels: ['store'],
    unit: 'keys',
  },
  penstock_circuit_breaker_state: { type: 'gauge', help: '0 closed, 1 open, 2 half-open.', labels: ['component'], unit: '' },
  penstock_circuit_breaker_calls_total: {
    type: 'counter',
    help: 'Calls through a breaker, by result (success, failure, rejected).',
    labels: ['component', 'result'],
    unit: 'calls',
  },
  penstock_log_lines_suppressed_total: {
    type: 'counter',
    help: 'Log lines that a rate limit held back.',
    labels: ['logger'],
    unit: 'lines',
  },
} as const satisfies Readonly<Record<`penstock_${string}`, MetricSpec>>;

export type MetricName = keyof typeof METRICS;
export type MetricNameOf<T extends MetricType> = { [N in MetricName]: (typeof METRICS)[N]['type'] extends T ? N : never }[MetricName];
/** The labels of one series, all of them. */
export type LabelsOf<N extends MetricName> = { readonly [L in (typeof METRICS)[N]['labels'][number]]: string };

/** The table as Markdown, for the reference. */
export function metricsReference(): string {
  const rows = Object.entries<MetricSpec>(METRICS).map(
    ([name, { type, help, labels, unit }]) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ') || '–'} | ${unit || '–'} | ${help} |`,
  );
  return ['| metric | type | labels | unit | says |', '|---|---|---|---|---|', ...rows].join('\n');
}
