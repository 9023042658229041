import { z } from 'zod';

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const BYTES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
  tb: 1000 ** 4,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};

/** Milliseconds of `500ms`, `1.5s`, `5m`, `1h30m`, `7d`; a bare number means seconds. Undefined when it is none of these. */
export function parseDuration(value: number | string): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? Math.round(value * 1000) : undefined;
  const text = value.trim().toLowerCase();
  if (/^\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000);
  if (!/^(?:\d+(?:\.\d+)?(?:ms|[smhdw])\s*)+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g)) total += Number(amount) * MILLISECONDS[unit!]!;
  return Math.round(total);
}

/** Bytes of `1MiB`, `64 KiB`, `5MB`, `100B`; a bare number means bytes. Undefined when it is none of these. */
export function parseSize(value: number | string): number | undefined {
  if (typeof value === 'number') return Number.isInteger(value) && value >= 0 ? value : undefined;
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?i?b)?$/.exec(value.trim().toLowerCase());
  if (match === null) return undefined;
  const bytes = Number(match[1]) * BYTES[match[2] ?? 'b']!;
  return Number.isInteger(bytes) ? bytes : Math.round(bytes);
}

/** A duration as people write it, without loss: `5m`, `1500ms`. */
export function formatDuration(milliseconds: number): string {
  for (const unit of ['d', 'h', 'm', 's']) {
    const size = MILLISECONDS[unit]!;
    if (milliseconds >= size && milliseconds % size === 0) return `${milliseconds / size}${unit}`;
  }
  return `${milliseconds}ms`;
}

/** A duration in a file: text with a unit or seconds; milliseconds in code. */
export function duration() {
  return z
    .union([z.string(), z.number()])
    .meta({ 'x-kind': 'duration' })
    .transform((value, context) => {
      const milliseconds = parseDuration(value);
      if (milliseconds !== undefined) return milliseconds;
      context.addIssue({
        code: 'custom',
        message: `must be a duration, this is ${JSON.stringify(value)}`,
        params: { code: 'PS1105', help: 'write a number and its unit: 500ms, 5s, 10m, 24h, 7d' },
      });
      return z.NEVER;
    });
}

/** A size in a file: text with a unit or bytes; bytes in code. */
export function size() {
  return z
    .union([z.string(), z.number()])
    .meta({ 'x-kind': 'size' })
    .transform((value, context) => {
      const bytes = parseSize(value);
      if (bytes !== undefined) return bytes;
      context.addIssue({
        code: 'custom',
        message: `must be a size, this is ${JSON.stringify(value)}`,
        params: { code: 'PS1105', help: 'write a number and its unit: 512KiB, 1MiB, 2GiB' },
      });
      return z.NEVER;
    });
}
