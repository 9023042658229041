/** The rules by which workers themselves filter a delivery; a plugin's reason carries the plugin's name. */
export const BUILT_IN_FILTERS = {
  duplicate: 'duplicate',
  noAssignment: 'no assignment id',
  stillRetried: 'still being retried',
  otherGroup: 'redelivered for another group',
} as const;

const REASONS: ReadonlySet<string> = new Set(Object.values(BUILT_IN_FILTERS));

export function isBuiltInFilter(reason: string | undefined): boolean {
  return reason !== undefined && REASONS.has(reason);
}
