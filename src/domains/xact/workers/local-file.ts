import { sharedFileWork } from '../../../storage/file-work.js';

/** Removes a file of the cache that nobody needs any more. One that stays costs space and nothing else, so it is only warned of. */
export function removeLocal(path: string): void {
  sharedFileWork()
    .remove(path)
    .catch((error: unknown) => process.emitWarning(`a cached file could not be removed: ${String(error)}`));
}
