import { uuidV5 } from '../uuid.js';

/** Name space of event ids: the version 5 UUID of `http://nsmkdvPipe/event_id` among URLs. */
export const EVENT_NAMESPACE = 'b8ec3745-17c7-5a5a-afbd-9b81a1a71824';

/** The one name space of media ids: the version 5 UUID of `http://xactPipeline/media_id` among URLs. */
export const MEDIA_NAMESPACE = '6a9dbf19-e709-52a7-9659-e503e4faceb8';

/** The id of an event: the same whenever it comes again. */
export function eventId(traceId: string): string {
  return uuidV5(EVENT_NAMESPACE, traceId);
}

/** The id of an attachment of an event: the same whenever it comes again. */
export function mediaId(traceId: string, attachmentUrl: string, namespace = MEDIA_NAMESPACE): string {
  return uuidV5(namespace, `${traceId}:${attachmentUrl}`);
}
