/** What a plugin sees of a delivery at a stage. Field names are those of `get_field` paths, conditions, specs and decisions. */
export interface Context<M = unknown, D = Readonly<Record<string, unknown>>> {
  readonly domain: string;
  readonly stage: string;
  /** None in a bare pipe. */
  readonly worker: string | undefined;
  readonly message: M;
  readonly event_id: string;
  readonly event_type: string | null;
  readonly project_id: string | null;
  readonly data: D;
  /** The record's own headers, less the transport's and the retry scheme's, and what plugins added. */
  readonly headers: Readonly<Record<string, string>>;
  readonly error: unknown;
  readonly retry_count: number;
  readonly timestamp: Date;
}
