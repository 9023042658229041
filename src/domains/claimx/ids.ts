import { createHash } from 'node:crypto';
import { uuidV5 } from '../uuid.js';

/** What makes two ClaimX events the same. */
export interface ClaimxIdentity {
  readonly project_id: string | number;
  readonly event_type: string;
  /** As received: the id is only as stable as this text. */
  readonly ingested_at: string;
  readonly media_id?: unknown;
  readonly task_assignment_id?: unknown;
  readonly video_collaboration_id?: unknown;
  readonly master_file_name?: unknown;
}

/** The trace id of a ClaimX event: SHA-256, in hexadecimal, of its identifying parts joined by `|`; parts that are empty, zero or absent are left out. */
export function claimxTraceId(identity: ClaimxIdentity): string {
  const parts = [...head(identity, identity.ingested_at), ...ids(identity), ...marked('file', identity.master_file_name)];
  return createHash('sha256').update(parts.join('|'), 'utf8').digest('hex');
}

/** The id that an earlier generation gave: a version 5 UUID of the same parts without the file. */
export function claimxLegacyEventId(namespace: string, identity: ClaimxIdentity): string {
  return uuidV5(namespace, [...head(identity, identity.ingested_at), ...ids(identity)].join('|'));
}

function head(identity: ClaimxIdentity, ingestedAt: string): readonly string[] {
  return [String(identity.project_id), identity.event_type, ingestedAt];
}

function ids(identity: ClaimxIdentity): readonly string[] {
  return [
    ...marked('media', identity.media_id),
    ...marked('task', identity.task_assignment_id),
    ...marked('video', identity.video_collaboration_id),
  ];
}

function marked(mark: string, value: unknown): readonly string[] {
  if (typeof value !== 'string' && typeof value !== 'number') return [];
  return value === '' || value === 0 ? [] : [`${mark}:${value}`];
}
