import { unlink } from 'node:fs/promises';

/** Removes a file of the cache that nobody needs any more. One that stays costs space and nothing else, so it is only warned of. */
export function removeLocal(path: string): void {
  unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') process.emitWarning(`a cached file could not be removed: ${String(error)}`);
  });
}
