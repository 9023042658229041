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

/** An address and a port: `127.0.0.1:4171`, `[::1]:80`. */
export function addressAndPort() {
  return z.string().transform((text, context) => {
    const match = /^(\[[\da-fA-F:.]+\]|[\w.-]+):(\d{1,5})$/.exec(text.trim());
    const port = Number(match?.[2]);
    if (match !== null && port >= 1 && port <= 65_535) return { address: match[1]!.replace(/^\[|\]$/g, ''), port };
    const params = { code: 'PS1105', help: 'write 127.0.0.1:4171' };
    context.addIssue({ code: 'custom', message: `must be an address and a port, this is ${JSON.stringify(text)}`, params });
    return z.NEVER;
  });
}
