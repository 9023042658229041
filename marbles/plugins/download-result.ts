/** A completed download of a PDF; what is named differs. */
export function result(differing: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return {
    trace_id: 't-1',
    media_id: 'm-1',
    attachment_url: 'https://files.example.com/a.pdf',
    blob_path: 'documentsReceived/a.pdf',
    status_subtype: 'documentsReceived',
    file_type: 'PDF',
    assignment_id: 'A-1',
    status: 'completed',
    http_status: 200,
    bytes_downloaded: 10,
    retry_count: 0,
    error_message: null,
    created_at: '2031-05-06T07:08:09Z',
    ...differing,
  };
}
