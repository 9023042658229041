/** Freezes a value read from JSON, all the way down: whoever writes into it fails there and then. Bytes stay as they are. Answers the value. */
export function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value;
  Object.freeze(value);
  for (const name in value) frozen(value[name]);
  return value;
}
