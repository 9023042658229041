import { z } from 'zod';
import { toUtc } from '../../runtime/instant.js';
import { checked, instantText, readJson, requiredText } from '../message-fields.js';
import { claimxTraceId } from './ids.js';

/** A raw ClaimX event. */
export interface ClaimxEvent {
  readonly trace_id: string;
  readonly event_type: string;
  readonly project_id: string;
  /** In UTC. */
  readonly ingested_at: string;
  readonly media_id: string | null;
  readonly task_assignment_id: string | null;
  readonly video_collaboration_id: string | null;
  readonly master_file_name: string | null;
  /** The whole row as it came. */
  readonly raw_data: Readonly<Record<string, unknown>>;
}

/** Each field's two names; the first counts unless it is empty, zero or absent. */
const NAMES = [
  ['event_type', 'eventType'],
  ['project_id', 'projectId'],
  ['ingested_at', 'ingestedAt'],
  ['media_id', 'mediaId'],
  ['task_assignment_id', 'taskAssignmentId'],
  ['video_collaboration_id', 'videoCollaborationId'],
  ['master_file_name', 'masterFileName'],
] as const;

function byModelName(raw: unknown): unknown {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return raw;
  const source = raw as Readonly<Record<string, unknown>>;
  return Object.fromEntries(NAMES.map(([snake, camel]) => [snake, source[snake] || source[camel]]));
}

const text = z.union([z.string(), z.number().transform(String)]);
const id = text.pipe(requiredText);
const optionalId = text.nullish().transform((value) => value ?? null);

const fields = z.preprocess(
  byModelName,
  z.object({
    event_type: requiredText,
    project_id: id,
    ingested_at: instantText,
    media_id: optionalId,
    task_assignment_id: optionalId,
    video_collaboration_id: optionalId,
    master_file_name: optionalId,
  }),
);

/**
 * An event from a record's bytes, its trace id made of what identifies it. Throws a `PenstockError` (PS4101, permanent) when they are none; an event
 * without its time of ingestion is none, since it would have another identity each time.
 */
export function readClaimxEvent(bytes: Uint8Array): ClaimxEvent {
  const raw = readJson(bytes);
  const event = checked(fields, raw, 'ClaimX event');
  const row = raw as Readonly<Record<string, unknown>>;
  const written = row['ingested_at'] || row['ingestedAt'];
  const ingestedAt = typeof written === 'string' ? written : event.ingested_at;
  return {
    trace_id: claimxTraceId({ ...event, ingested_at: ingestedAt }),
    ...event,
    ingested_at: toUtc(ingestedAt) ?? ingestedAt,
    raw_data: row,
  };
}
