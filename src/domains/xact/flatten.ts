import { PenstockError } from '../../diagnostics/index.js';
import { formatInstant, parseInstant } from '../../runtime/instant.js';
import type { Row } from '../../storage/delta/table.js';
import { ExactNumber, parseExactly, stringifyExactly } from '../exact-json.js';
import { attachmentsOf, fieldsOf, subtypeOf } from './event.js';

/** Columns whose text stands at a path of the event's content. */
export const CONTENT_COLUMNS = {
  description: ['description'],
  assignment_id: ['assignmentId'],
  original_assignment_id: ['originalAssignmentId'],
  xn_address: ['xnAddress'],
  carrier_id: ['carrierId'],
  estimate_version: ['estimateVersion'],
  note: ['note'],
  author: ['author'],
  sender_reviewer_name: ['senderReviewerName'],
  sender_reviewer_email: ['senderReviewerEmail'],
  carrier_reviewer_name: ['carrierReviewerName'],
  carrier_reviewer_email: ['carrierReviewerEmail'],
  event_datetime_mdt: ['dateTime'],
  claim_number: ['adm', 'coverageLoss', 'claimNumber'],
  contact_type: ['contact', 'type'],
  contact_name: ['contact', 'name'],
  contact_phone_type: ['contact', 'contactMethods', 'phone', 'type'],
  contact_phone_number: ['contact', 'contactMethods', 'phone', 'number'],
  contact_phone_extension: ['contact', 'contactMethods', 'phone', 'extension'],
  contact_email_address: ['contact', 'contactMethods', 'email', 'address'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

const PATHS: readonly (readonly [string, readonly string[]])[] = Object.entries(CONTENT_COLUMNS);

export interface FlattenOptions {
  /** When the row is made. */
  readonly now: Date;
  /** The event's own text, kept as `raw_json`. Defaults to the event written as JSON. */
  readonly text?: string;
}

/**
 * The row of `xact_events` for a raw event. Rows do not know of each other, and content as an object gives the row that the same content as text
 * gives. An absent or empty time leaves its columns null. Throws a `PenstockError` (PS4109, permanent) for what cannot be a row: no object, no trace
 * id, a time that is none, content that is no object.
 */
export function flattenEvent(raw: unknown, { now, text }: FlattenOptions): Row {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) throw unfit('the event is not an object');
  const event = fieldsOf(raw);
  const traceId = textOf(event['traceId'] ?? event['trace_id']);
  if (traceId === null || traceId.trim() === '') throw unfit('trace_id is missing');
  const type = textOf(event['type']);
  const ingestedAt = instantOf(event['utcDateTime'] ?? event['utc_datetime']);
  const content = contentOf(event['data']);
  const row: Record<string, string | Date | null> = {
    type,
    status_subtype: type === null ? null : subtypeOf(type),
    version: textOf(event['version']),
    ingested_at: ingestedAt,
    event_date: ingestedAt === null ? null : ingestedAt.slice(0, 10),
    trace_id: traceId,
    event_id: textOf(event['event_id'] ?? event['eventId']),
    attachments: attachmentsOf(content['attachments'])?.join(',') || null,
    raw_json: text ?? stringifyExactly(raw),
    created_at: now,
    created_date: now.toISOString().slice(0, 10),
  };
  for (const [column, path] of PATHS) row[column] = textAt(content, path);
  return row;
}

function unfit(why: string): PenstockError {
  return new PenstockError('PS4109', `the event cannot be a row of xact_events: ${why}`, { category: 'permanent' });
}

function instantOf(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  const text = textOf(value) ?? '';
  if (text.trim() === '') return null;
  const micros = parseInstant(text);
  if (micros === undefined) throw unfit(`utcDateTime is not an instant: ${JSON.stringify(text.slice(0, 64))}`);
  return formatInstant(micros);
}

function contentOf(data: unknown): Readonly<Record<string, unknown>> {
  const value = typeof data === 'string' && data.trim() !== '' ? parsed(data) : data;
  if (value === undefined || value === null || value === '') return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw unfit('data is not an object');
  return value as Readonly<Record<string, unknown>>;
}

function parsed(text: string): unknown {
  try {
    return parseExactly(text);
  } catch (cause) {
    throw new PenstockError('PS4109', 'the event cannot be a row of xact_events: data is not JSON', { category: 'permanent', cause });
  }
}

function textAt(content: Readonly<Record<string, unknown>>, path: readonly string[]): string | null {
  let value: unknown = content;
  for (const name of path) value = Object.hasOwn(fieldsOf(value), name) ? fieldsOf(value)[name] : undefined;
  return textOf(value);
}

/** A scalar's text, digits as they came; JSON of anything else; null for what is absent. */
function textOf(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (value instanceof ExactNumber) return value.text;
  return typeof value === 'string' ? value : stringifyExactly(value);
}
