import { safeSegment } from '../safe-path.js';

export interface MediaRow {
  readonly media_id: string;
  readonly project_id: string;
  readonly file_name: string | null;
}

/** Where the file of a media row is stored: `{project}/media/{media id}_{file name}`; two files of one name in a project do not meet. */
export function mediaBlobPath({ media_id, project_id, file_name }: MediaRow): string {
  const name = file_name === null || file_name.trim() === '' ? `media_${media_id}` : `${media_id}_${file_name}`;
  return [safeSegment(project_id), 'media', safeSegment(name)].join('/');
}
