/** An ISO 8601 instant: a date, a time with or without seconds and fraction, `Z`, an offset or nothing. */
const ISO = /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(Z|z|[+-]\d\d(?::?\d\d)?)?)?$/;

const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const FIRST_MS = new Date(0).setUTCFullYear(1, 0, 1);

/**
 * Microseconds since 1970 of an instant's text; undefined when it is none. Naive text is UTC, a bare date its midnight, digits beyond microseconds
 * are cut off. Dates that do not exist (13th month, 30 February) are no instants.
 */
export function parseInstant(text: string): number | undefined {
  const parts = ISO.exec(text.trim());
  if (parts === null) return undefined;
  const [year, month, day] = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
  const [hour, minute, second] = [Number(parts[4] ?? 0), Number(parts[5] ?? 0), Number(parts[6] ?? 0)];
  if (year < 1 || hour > 23 || minute > 59 || second > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  const offset = offsetMinutes(parts[8]);
  if (offset === undefined) return undefined;
  const ms = date.getTime() + ((hour * 60 + minute - offset) * 60 + second) * 1000;
  if (ms < FIRST_MS || ms > LAST_MS) return undefined;
  return ms * 1000 + Number((parts[7] ?? '').slice(0, 6).padEnd(6, '0'));
}

function offsetMinutes(zone: string | undefined): number | undefined {
  if (zone === undefined || zone === 'Z' || zone === 'z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(':', '') || 0);
  if (hours > 23 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

/** An instant in UTC, `2031-03-04T05:06:07Z`, with milliseconds or microseconds where it has them. */
export function formatInstant(micros: number): string {
  // Behind the year 2255 numbers no longer tell single microseconds apart.
  const exact = Number.isSafeInteger(micros);
  const ms = exact ? Math.floor(micros / 1000) : Math.round(micros / 1000);
  const fraction = exact ? micros - Math.floor(ms / 1000) * 1_000_000 : (ms - Math.floor(ms / 1000) * 1000) * 1000;
  const whole = new Date(ms).toISOString().slice(0, 19);
  if (fraction === 0) return `${whole}Z`;
  const digits = String(fraction).padStart(6, '0');
  return `${whole}.${digits.endsWith('000') ? digits.slice(0, 3) : digits}Z`;
}

/** A date as messages write it. */
export function instantOf(date: Date): string {
  return formatInstant(date.getTime() * 1000);
}

/** The same instant written in UTC; undefined when the text is none. */
export function toUtc(text: string): string | undefined {
  const micros = parseInstant(text);
  return micros === undefined ? undefined : formatInstant(micros);
}
