import { type Category, PenstockError } from '../../diagnostics/index.js';
import { errnoOf } from '../durable-file.js';

/** A failure of the file system in the project's own words: a full disk has its own code, a name that is too long will not get shorter. */
export function tableFailure(error: unknown, table: string, what: string): PenstockError {
  if (error instanceof PenstockError) return error;
  const errno = errnoOf(error);
  const text = error instanceof Error ? error.message : String(error);
  if (errno === 'ENOSPC' || errno === 'EDQUOT') {
    return new PenstockError('PS3002', `table ${table} ${what}: the disk is full`, { category: 'transient', cause: error });
  }
  return new PenstockError('PS4108', `table ${table} ${what}: ${text}`, { category: categoryOfErrno(errno), cause: error });
}

function categoryOfErrno(errno: string | undefined): Category {
  if (errno === undefined) return 'unknown';
  return errno === 'ENAMETOOLONG' ? 'permanent' : 'transient';
}
