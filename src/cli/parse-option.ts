import { InvalidArgumentError } from 'commander';
import { parseDuration, parseSize } from '../config/quantities.js';

/** Parsers of option values; what they refuse ends the program with usage. */

export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

export function positiveNumber(text: string): number {
  const number = wholeNumber(text);
  if (number === 0) throw new InvalidArgumentError('It must be a whole number of at least 1.');
  return number;
}

export function port(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) throw new InvalidArgumentError('It must be a port, 0 (any) to 65535.');
  return Number(text);
}

export function percentage(text: string): number {
  const number = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(number <= 100)) throw new InvalidArgumentError('It must be a number from 0 to 100.');
  return number;
}

export function bytes(text: string): number {
  const size = parseSize(text);
  if (size === undefined || size <= 0) throw new InvalidArgumentError('It must be a size, such as 8MiB or 500kB.');
  return size;
}

export function instant(text: string): Date {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) throw new InvalidArgumentError('It must be an instant, such as 2026-01-31T12:00:00Z.');
  return date;
}

/** Milliseconds. */
export function duration(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds === undefined) throw new InvalidArgumentError('It must be a duration, such as 30s or 500ms.');
  return milliseconds;
}
