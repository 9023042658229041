/** Files by path: `/`-separated, relative, without empty, `.` or `..` segments. Writing again replaces, so an upload may be repeated. */
export interface BlobStore {
  /**
   * Stores the file at `localPath` under `path`; atomic, durable when resolved. The local file stays. `frozen` says that nobody will write into
   * the local file any more, though it may be removed or replaced: a store on the same disk then need not copy it.
   */
  putFile(
    path: string,
    localPath: string,
    options?: { readonly contentType?: string; readonly ifAbsent?: boolean; readonly frozen?: boolean },
  ): Promise<{ readonly bytes: number; readonly existed: boolean }>;
  put(
    path: string,
    bytes: Uint8Array,
    options?: { readonly contentType?: string; readonly ifAbsent?: boolean },
  ): Promise<{ readonly bytes: number; readonly existed: boolean }>;
  get(path: string): Promise<Buffer | undefined>;
  head(path: string): Promise<{ readonly bytes: number } | undefined>;
  list(prefix?: string): AsyncIterable<{ readonly path: string; readonly bytes: number }>;
  delete(path: string): Promise<void>;
}
