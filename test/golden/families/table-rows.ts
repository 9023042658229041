import { downloadResult } from '../../../src/domains/xact/messages.js';
import { attachmentRow, failedAttachmentRow } from '../../../src/domains/xact/tables.js';
import { same } from '../compare.js';
import { fields, wanted, type Family } from '../family.js';

const ROWS = { xact_attachments: attachmentRow, xact_attachments_failed: failedAttachmentRow } as const;

export const family: Family = {
  name: 'table-rows',
  skip(vector) {
    const table = String(fields(vector.in)['table']);
    return table in ROWS ? undefined : `${table} is no table of this domain`;
  },
  check(vector) {
    const input = fields(vector.in);
    const row = ROWS[input['table'] as keyof typeof ROWS];
    same(row(downloadResult.parse(input['result']), new Date(input['now'] as string)), fields(wanted(vector))['row']);
  },
};
