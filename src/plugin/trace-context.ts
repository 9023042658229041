const TRACE_CONTEXT = ['traceparent', 'tracestate'] as const;
const NO_TRACE: Readonly<Record<string, string>> = {};

/** The headers that say of which trace a message is (W3C Trace Context): they go on with what comes of it, nothing else of a record does by itself. */
export function traceContextOf(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  let trace: Record<string, string> | undefined;
  for (const name of TRACE_CONTEXT) {
    const value = headers[name];
    if (value !== undefined) trace = { ...trace, [name]: value };
  }
  return trace ?? NO_TRACE;
}
