import { safeSegment, splitName } from '../safe-path.js';

export interface BlobPathFacts {
  readonly statusSubtype: string;
  readonly traceId: string;
  readonly assignmentId: string;
  readonly downloadUrl: string;
  readonly estimateVersion: string | null;
}

export interface BlobPath {
  readonly path: string;
  /** The extension in capitals, or `UNKNOWN`. */
  readonly fileType: string;
}

const NO_NAME = 'unknown';
const NO_TYPE = 'UNKNOWN';

/**
 * Where the file of an attachment is stored: `{status subtype}/{assignment}/{trace}/{assignment}_{name}`, with `FNOL` or the estimate's version before
 * the name where the subtype says so. The name is the last segment of the URL's path, its extension in small letters. Every segment is safe below
 * any base, whatever the names and ids are.
 */
export function blobPathOf(facts: BlobPathFacts): BlobPath {
  const { base, extension } = splitName(lastSegment(facts.downloadUrl));
  const type = extension.slice(1);
  const name = type === '' ? base || NO_NAME : `${base}.${type.toLowerCase()}`;
  const file = [facts.assignmentId, ...infix(facts), name].join('_');
  const path = [facts.statusSubtype, facts.assignmentId, facts.traceId, file].map(safeSegment).join('/');
  return { path, fileType: type.trim() === '' ? NO_TYPE : type.toUpperCase() };
}

function infix({ statusSubtype, estimateVersion }: BlobPathFacts): readonly string[] {
  if (statusSubtype === 'firstNoticeOfLossReceived') return ['FNOL'];
  if (statusSubtype === 'estimatePackageReceived') return [estimateVersion || NO_NAME];
  return [];
}

/** The same path with a mark behind the file's name: for the second attachment of an event whose path is taken. */
export function markedPath(path: string, mark: string): string {
  const slash = path.lastIndexOf('/');
  const { base, extension } = splitName(path.slice(slash + 1));
  return `${path.slice(0, slash + 1)}${base}_${mark}${extension}`;
}

/** A blob path below a base. */
export function fullPath(base: string, path: string): string {
  return `${base.replace(/\/+$/, '')}/${path}`;
}

/** What stands behind the last slash of a URL's path, as it is written there: nothing is decoded. */
function lastSegment(url: string): string {
  const path = url
    .replace(/[?#].*$/su, '')
    .replace(/^[a-z][a-z0-9+.-]*:/i, '')
    .replace(/^\/\/[^/]*/, '');
  return path.slice(path.lastIndexOf('/') + 1);
}
