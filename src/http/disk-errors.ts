import { type Category, PenstockError } from '../diagnostics/index.js';

/** Error numbers that another attempt will meet again. */
const LASTING: ReadonlySet<string> = new Set(['ENOSPC', 'EROFS', 'EACCES', 'EPERM']);

/** What an error number of the file system means for another attempt. */
export function categoryOfErrno(errno: string | undefined): Category {
  return errno !== undefined && LASTING.has(errno) ? 'permanent' : 'transient';
}

/** The error number of a file system's error, such as `ENOENT`. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** A file system's error as ours; what is ours already stays as it is. */
export function diskFailure(error: unknown): PenstockError {
  if (error instanceof PenstockError) return error;
  const errno = errnoOf(error);
  return new PenstockError(errno === 'ENOSPC' ? 'PS3002' : 'PS4104', `the file could not be written to disk (${errno ?? 'unknown'})`, {
    category: categoryOfErrno(errno),
    cause: error,
  });
}
