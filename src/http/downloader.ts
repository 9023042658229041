/** Tells hosts of a simulator which attempt this is, so that their faults need no memory. */
export const ATTEMPT_HEADER = 'x-penstock-attempt';

/** A file to fetch. */
export interface DownloadRequest {
  readonly url: string;
  /** Names the local file and the part that a later attempt resumes; safe as a file name. */
  readonly id: string;
  /** The extension that the content must fit, lower case without the dot; empty when unknown. */
  readonly extension: string;
  /** Counted from 0; sent as a header to hosts of the simulator only. */
  readonly attempt: number;
}

export interface Downloaded {
  /** Absolute path of the finished file. */
  readonly path: string;
  readonly bytes: number;
  readonly contentType: string | undefined;
  readonly httpStatus: number;
}

/** Fetches a file to disk. Rejects with a `PenstockError` whose category says whether another attempt makes sense and whose `httpStatus` is set where it is known. */
export type Download = (request: DownloadRequest, signal: AbortSignal) => Promise<Downloaded>;

export interface HttpCall {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer | undefined;
  readonly timeoutMs: number;
}

/** Makes one request, without retries; statuses are answers, not errors. */
export type Fetch = (
  call: HttpCall,
  signal?: AbortSignal,
) => Promise<{ readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: Buffer }>;
