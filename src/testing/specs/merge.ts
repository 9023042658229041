type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The second over the first: maps are merged member by member, everything else is replaced. */
export function merged(under: unknown, over: unknown): unknown {
  if (!isFields(under) || !isFields(over)) return over;
  return Object.fromEntries([
    ...Object.entries(under).map(([key, value]) => [key, Object.hasOwn(over, key) ? merged(value, over[key]) : value]),
    ...Object.entries(over).filter(([key]) => !Object.hasOwn(under, key)),
  ]);
}
