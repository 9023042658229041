import { expect } from 'vitest';
import { claimxLegacyEventId, claimxTraceId, type ClaimxIdentity } from '../../../src/domains/claimx/ids.js';
import { URL_NAMESPACE, uuidV5 } from '../../../src/domains/uuid.js';
import { eventId, mediaId } from '../../../src/domains/xact/ids.js';
import { fields, wanted, type Family } from '../family.js';

function idOf(input: Readonly<Record<string, unknown>>): string {
  const text = (name: string) => input[name] as string;
  switch (input['kind']) {
    case 'namespace':
      return uuidV5(URL_NAMESPACE, text('url_name'));
    case 'xact_event_id':
      return eventId(text('trace_id'));
    case 'xact_media_id':
      return mediaId(text('trace_id'), text('attachment_url'), text('namespace'));
    case 'claimx_trace_id':
      return claimxTraceId(input as unknown as ClaimxIdentity);
    case 'claimx_event_id_earlier_generation':
      return claimxLegacyEventId(text('namespace'), { ...(input as unknown as ClaimxIdentity), ingested_at: text('ingested_at_iso') });
    default:
      throw new Error(`no id of kind ${String(input['kind'])}`);
  }
}

export const family: Family = {
  name: 'ids',
  check(vector) {
    expect(idOf(fields(vector.in))).toBe(fields(wanted(vector))['id']);
  },
};
