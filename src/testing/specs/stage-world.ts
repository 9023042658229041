import type { z } from 'zod';
import { contextOf as xactContextOf, STAGE_SCHEMAS, XACT_STAGES, type XactStage } from '../../domains/xact/stages.js';
import { EVENT_TYPE_HEADER } from '../../domains/xact/tasks.js';
import { XACT } from '../../domains/xact/topics.js';
import type { Context, StageSpec } from '../../plugin/index.js';

type Fields = Readonly<Record<string, unknown>>;

/** What a specification may say of a context beside its message. */
export interface ContextExtras {
  readonly data?: Fields | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly error?: unknown;
}

/** What specifications know of a domain: its stages, what a message of each looks like, and how plugins see it. A third domain is one more row. */
export interface StageWorld {
  readonly domain: string;
  readonly stages: readonly StageSpec[];
  /** Where messages of every kind come by, the stage whose messages are usual. */
  readonly usual: Readonly<Record<string, string>>;
  /** Other names that fields of a stage's messages may have. */
  aliases(stage: string): Readonly<Record<string, string>>;
  /** A valid message, as it would be written. */
  sample(stage: string, letter: string): Fields;
  contextOf(stage: string, message: unknown, extras: ContextExtras): Context;
}

const SUBTYPE = 'statusChanged';
const INSTANT = '2026-01-02T03:04:05Z';

/** What a valid message of XACT holds where it says nothing; each letter has ids of its own. */
function xactFields(letter: string): Fields {
  return {
    trace_id: `t-${letter}`,
    event_id: `e-${letter}`,
    media_id: `m-${letter}`,
    attachment_url: `https://files.example.com/${encodeURIComponent(letter)}.pdf`,
    blob_path: `${SUBTYPE}/A-1/${encodeURIComponent(letter)}.pdf`,
    destination_path: `${SUBTYPE}/A-1/${encodeURIComponent(letter)}.pdf`,
    local_cache_path: `cache/m-${encodeURIComponent(letter)}`,
    status_subtype: SUBTYPE,
    file_type: 'PDF',
    assignment_id: 'A-1',
    event_type: XACT,
    event_subtype: SUBTYPE,
    status: 'completed',
    bytes_downloaded: 1024,
    content_type: 'application/pdf',
    created_at: INSTANT,
    original_timestamp: INSTANT,
    downloaded_at: INSTANT,
    attachments: [`https://files.example.com/${encodeURIComponent(letter)}.pdf`],
  };
}

function xactEventSample(letter: string): Fields {
  return {
    type: `verisk.claims.property.xn.${SUBTYPE}`,
    version: 1,
    utcDateTime: INSTANT,
    traceId: `t-${letter}`,
    data: { assignmentId: 'A-1', attachments: [`https://files.example.com/${encodeURIComponent(letter)}.pdf`] },
  };
}

const isEvent = (stage: string): boolean => stage === 'event_ingest' || stage === 'delta_write';

const XACT_DATA: Readonly<Record<string, Fields>> = {
  delta_write: { batch_size: 1, table_path: 'xact_events' },
  error: { error_category: 'transient', retry_count: 0 },
  retry: { delay_seconds: 300, retry_topic: 'xact.downloads.pending.retry.5m' },
  dlq: { reason: 'max_retries_exceeded' },
};

const xact: StageWorld = {
  domain: XACT,
  stages: XACT_STAGES.map((name) => ({ name, message: STAGE_SCHEMAS[name] })),
  usual: { error: 'download_queued', retry: 'download_queued', dlq: 'download_queued' },
  aliases: (stage) => (isEvent(stage) ? { utc_datetime: 'utcDateTime', trace_id: 'traceId', event_id: 'eventId' } : {}),
  sample(stage, letter) {
    if (isEvent(stage)) return xactEventSample(letter);
    const fields = xactFields(letter);
    const keys = Object.keys(fieldsOf(STAGE_SCHEMAS[stage as XactStage]) ?? {});
    return Object.fromEntries(keys.filter((key) => Object.hasOwn(fields, key)).map((key) => [key, fields[key]]));
  },
  contextOf(stage, message, { data, headers, error }) {
    const subtype = (message as Fields)['status_subtype'];
    const type = typeof subtype === 'string' ? { [EVENT_TYPE_HEADER]: `verisk.claims.property.xn.${subtype}` } : {};
    const context = xactContextOf(stage as XactStage, message as never, {
      headers: { ...type, ...headers },
      error,
      data: { ...XACT_DATA[stage], ...data } as never,
    });
    return { ...context, headers: headers ?? {} };
  },
};

const WORLDS: readonly StageWorld[] = [xact];

/** The domains that specifications can be written for. */
export const SPEC_DOMAINS: readonly string[] = WORLDS.map(({ domain }) => domain);

export function stageWorld(domain: string): StageWorld | undefined {
  return WORLDS.find((world) => world.domain === domain);
}

interface Definition {
  readonly type: string;
  readonly shape?: Readonly<Record<string, unknown>>;
  readonly innerType?: unknown;
  readonly in?: unknown;
  readonly out?: unknown;
}

/** The fields of a message, whatever is done to it on the way in; none where it is no object. */
export function fieldsOf(schema: z.ZodType | undefined): Readonly<Record<string, unknown>> | undefined {
  const definition = (schema as { readonly _zod?: { readonly def?: Definition } } | undefined)?._zod?.def;
  if (definition === undefined) return undefined;
  if (definition.shape !== undefined) return definition.shape;
  for (const inner of [definition.innerType, definition.out, definition.in]) {
    const found = fieldsOf(inner as z.ZodType | undefined);
    if (found !== undefined) return found;
  }
  return undefined;
}
