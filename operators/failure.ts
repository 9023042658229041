/** What an error says about itself, whoever made it: this room knows no error classes but its own. */
export function categoryOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'category' in error && typeof error.category === 'string'
    ? error.category
    : 'unknown';
}

/** How long the other side asked to wait, in milliseconds, where the error carries that. */
export function retryAfterMsOf(error: unknown): number | undefined {
  return typeof error === 'object' && error !== null && 'retryAfterMs' in error && typeof error.retryAfterMs === 'number'
    ? error.retryAfterMs
    : undefined;
}
