import { z } from 'zod';

/** A list of texts, or one text with commas between (as a variable gives it); empty items are left out. */
export function textList() {
  return z
    .union([z.array(z.string()), z.string()])
    .transform((value) => (typeof value === 'string' ? value.split(',') : value).map((item) => item.trim()).filter((item) => item !== ''));
}

/** One text or a list of them. */
export function textOrList() {
  return z.union([z.string().min(1), z.array(z.string().min(1))]).transform((value) => (typeof value === 'string' ? [value] : value));
}

/** A whole number in a range. */
export function count(least: number, most: number) {
  return z.int().min(least).max(most);
}
