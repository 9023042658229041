import { expect } from 'vitest';
import type { z } from 'zod';
import {
  claimxCachedDownload,
  claimxDownloadTask,
  claimxEnrichmentTask,
  claimxUploadResult,
  entityRows,
} from '../../../src/domains/claimx/messages.js';
import { failedDeltaBatch } from '../../../src/domains/failed-batch.js';
import { cachedDownload, downloadResult, downloadTask, enrichmentTask } from '../../../src/domains/xact/messages.js';
import { isSame, same } from '../compare.js';
import { fields, list, wanted, type Family } from '../family.js';

const SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  XACTEnrichmentTask: enrichmentTask,
  DownloadTaskMessage: downloadTask,
  CachedDownloadMessage: cachedDownload,
  DownloadResultMessage: downloadResult,
  ClaimXEnrichmentTask: claimxEnrichmentTask,
  ClaimXDownloadTask: claimxDownloadTask,
  ClaimXCachedDownloadMessage: claimxCachedDownload,
  ClaimXUploadResultMessage: claimxUploadResult,
  EntityRowsMessage: entityRows,
  FailedDeltaBatch: failedDeltaBatch,
};

export const family: Family = {
  name: 'message-validation',
  check(vector, { defined }) {
    const input = fields(vector.in);
    const type = String(input['type']);
    const schema = SCHEMAS[type];
    const base = fields(defined.get(type)?.['message']);
    if (schema === undefined || Object.keys(base).length === 0) throw new Error(`no schema or no base for ${type}`);
    const unset = new Set(list(input['unset']));
    const message = Object.fromEntries(Object.entries({ ...base, ...fields(input['set']) }).filter(([name]) => !unset.has(name)));
    const goal = fields(wanted(vector));
    const result = schema.safeParse(message);
    if (goal['valid'] === false) {
      expect(new Set(result.error?.issues.map((issue) => String(issue.path[0])))).toEqual(new Set(list(goal['fields'])));
      return;
    }
    expect(result.error).toBeUndefined();
    // A text that nobody can foretell (a random batch id) is named by the vector with what it is, not with its value.
    const read = fields(result.data);
    const known = Object.fromEntries(Object.entries(message).filter(([name]) => name in base));
    for (const [name, value] of Object.entries({ ...known, ...fields(goal['normalised']) })) {
      if (!isSame(read[name], value)) same({ [name]: read[name] }, { [name]: value });
    }
  },
};
