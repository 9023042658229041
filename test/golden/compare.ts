import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';

const INSTANT = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?$/;

/** Microseconds since 1970 of an instant's text, naive ones read as UTC; undefined when it is none. */
export function instant(value: unknown): bigint | undefined {
  if (value instanceof Date) return BigInt(value.getTime()) * 1000n;
  if (typeof value !== 'string' || !INSTANT.test(value)) return undefined;
  const parts = /^(.{10})[T ](\d\d:\d\d)(:\d\d)?(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)?$/.exec(value);
  if (parts === null) return undefined;
  const [, day, minutes, seconds = ':00', fraction = '', offset = 'Z'] = parts;
  const zone = offset === 'Z' || offset.includes(':') ? offset : `${offset.slice(0, 3)}:${offset.slice(3)}`;
  const ms = Date.parse(`${day}T${minutes}${seconds}${zone}`);
  if (Number.isNaN(ms)) return undefined;
  return BigInt(ms) * 1000n + BigInt(fraction.padEnd(6, '0').slice(0, 6));
}

function normal(value: unknown): unknown {
  const at = instant(value);
  if (at !== undefined) return `instant ${at}`;
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, member]) => member !== undefined)
        .map(([name, member]) => [name, normal(member)]),
    );
  }
  return value;
}

/** Equal in every member; instants as instants, member order free, list order not. */
export function same(actual: unknown, wanted: unknown): void {
  expect(normal(actual)).toEqual(normal(wanted));
}

/** The same without throwing. */
export function isSame(actual: unknown, wanted: unknown): boolean {
  return isDeepStrictEqual(normal(actual), normal(wanted));
}

/** Every wanted member is there with its value; members of `actual` beyond them are allowed, at every depth. */
export function superset(actual: unknown, wanted: unknown): void {
  expect(normal(actual)).toMatchObject(normal(wanted) as object);
}

/** Members that are null or absent, left out, at the top only. */
export function withoutNulls(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null && member !== undefined));
}
