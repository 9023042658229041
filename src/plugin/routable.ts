/** Any message that can be routed, whatever its domain. */
export interface Routable {
  readonly trace_id: string;
  readonly status: string;
}

/** What came of a download. */
export interface DownloadRoutable extends Routable {
  readonly file_type: string;
  readonly retry_count: number;
  readonly http_status?: number | null | undefined;
  readonly bytes_downloaded?: number | undefined;
  readonly error_message?: string | null | undefined;
}

/** An event on its way in, whatever its domain. */
export interface EventRoutable {
  readonly trace_id: string;
  readonly event_type: string;
}
