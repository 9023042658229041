import type { Delivery } from './delivery.js';

/** More was pushed into an operator than it may hold. Give the source fewer credits (`pull`, a consumer's `credits`) or the operator more room. */
export class OverflowError extends Error {
  override readonly name = 'OverflowError';

  constructor(
    readonly operator: string,
    readonly maxHeld: number,
  ) {
    super(`${operator} holds ${maxHeld} items and was given one more: ask the source for less, or raise maxHeld`);
  }
}

/** How many items an operator keeps waiting when nothing else is said. */
export const DEFAULT_MAX_HELD = 100_000;

export function overflow(delivery: Delivery<unknown>, operator: string, maxHeld: number): void {
  delivery.fail(new OverflowError(operator, maxHeld));
}
