import type { StoredRow } from './cell.js';
import { keyText } from './key-index.js';

/**
 * One row a key, in the order in which keys first appear: where rows share a key, a later value overwrites an earlier one, a later null does not.
 * Rows whose key has a null stay as they are.
 */
export function dedupeRows(rows: readonly StoredRow[], keyAt: readonly number[]): readonly StoredRow[] {
  const places = new Map<string, number>();
  const kept: StoredRow[] = [];
  for (const row of rows) {
    const key = keyText(row, keyAt);
    const place = key === undefined ? undefined : places.get(key);
    if (place !== undefined) {
      kept[place] = overlay(kept[place]!, row, []);
      continue;
    }
    if (key !== undefined) places.set(key, kept.length);
    kept.push(row);
  }
  return kept;
}

/** A stored row with an incoming one over it: nulls do not overwrite, and the cells at `frozen` stay. The stored row itself when nothing changes. */
export function overlay(stored: StoredRow, incoming: StoredRow, frozen: readonly number[]): StoredRow {
  let merged: StoredRow = stored;
  for (let at = 0; at < stored.length; at += 1) {
    const cell = incoming[at];
    if (cell === null || cell === undefined || frozen.includes(at) || Object.is(cell, stored[at])) continue;
    if (merged === stored) merged = [...stored];
    (merged as (typeof cell)[])[at] = cell;
  }
  return merged;
}
