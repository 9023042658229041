import { blobPathOf, fullPath } from '../../../src/domains/xact/blob-path.js';
import { same } from '../compare.js';
import { fields, wanted, type Family } from '../family.js';

export const family: Family = {
  name: 'xact-blob-path',
  check(vector) {
    const input = fields(vector.in);
    const { path, fileType } = blobPathOf({
      statusSubtype: (input['status_subtype'] ?? input['event_type']) as string,
      traceId: input['trace_id'] as string,
      assignmentId: input['assignment_id'] as string,
      downloadUrl: input['download_url'] as string,
      estimateVersion: (input['estimate_version'] as string | null | undefined) ?? null,
    });
    if (input['kind'] === 'full_target') same({ full_path: fullPath(input['base_path'] as string, path) }, wanted(vector));
    else same({ blob_path: path, file_type: fileType }, wanted(vector));
  },
};
