import {
  asksForCredentials,
  categoryOfName,
  categoryOfTableText,
  categoryOfText,
  isRetryable,
} from '../../../src/diagnostics/index.js';
import { apiVerdict } from '../../../src/domains/claimx/api-status.js';
import { categoryOfErrno } from '../../../src/http/disk-errors.js';
import { categoryOfStatus } from '../../../src/http/status.js';
import { transportVerdict } from '../../../src/transport/failure-names.js';
import { superset } from '../compare.js';
import { fields, wanted, type Family } from '../family.js';

function verdictOf(input: Readonly<Record<string, unknown>>): unknown {
  const text = (name: string) => (input[name] as string | null) ?? '';
  switch (input['kind']) {
    case 'http_status':
      return { category: categoryOfStatus(input['status'] as number) };
    case 'claimx_api_status':
      return apiVerdict(input['status'] as number);
    case 'os_error':
      return { category: categoryOfErrno(text('errno_name')) };
    case 'typed_error': {
      const category = categoryOfName(text('type'));
      return { category, retryable: isRetryable(category), refresh_auth: asksForCredentials(category) };
    }
    case 'untyped_error':
      return { category: categoryOfText(text('type'), text('message')) };
    case 'transport_error':
      return transportVerdict({ operation: text('operation') as 'consumer' | 'producer', name: text('type'), message: text('message') });
    case 'table_write_error':
      return { category: categoryOfTableText(text('message')) };
    default:
      throw new Error(`no error of kind ${String(input['kind'])}`);
  }
}

export const family: Family = {
  name: 'error-classification',
  check(vector) {
    superset(verdictOf(fields(vector.in)), wanted(vector));
  },
};
