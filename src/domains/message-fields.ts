import { z } from 'zod';
import { PenstockError } from '../diagnostics/index.js';
import { capErrorText } from '../runtime/error-text.js';
import { toUtc } from '../runtime/instant.js';

export { capErrorText };

/** Text with something in it; blanks around it go. */
export const requiredText = z.string().trim().min(1, 'expected a text that is not blank');

/** Text or null; absent means null. */
export const optionalText = z.string().nullable().default(null);

/** A whole number from 0 on. */
export const count = z.int().min(0);

/** An instant; written in UTC. */
export const instantText = z.string().transform((text, context) => {
  const utc = toUtc(text);
  if (utc !== undefined) return utc;
  context.addIssue({ code: 'custom', message: `expected an ISO 8601 instant, found ${JSON.stringify(text)}` });
  return z.NEVER;
});

export const optionalInstant = instantText.nullable().default(null);

/** An error's text within its limit, or null; absent means null. */
export const errorText = z.string().transform(capErrorText).nullable().default(null);

/** An object of anything. */
export const metadata = z.record(z.string(), z.unknown());

/** How a download ended: for good, or failed and still to be tried, or failed for good. */
export const resultStatus = z.enum(['completed', 'failed', 'failed_permanent']);

/** Keeps nothing between two calls that decode whole messages. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads JSON bytes as UTF-8; refuses anything else by an error of category `permanent`. */
export function readJson(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (cause) {
    throw new PenstockError('PS4101', 'the message is not UTF-8', { category: 'permanent', cause });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new PenstockError('PS4101', 'the message is not JSON', { category: 'permanent', cause });
  }
}

/** The value as the schema reads it; an error of category `permanent` names the fields that are wrong and why, never their content. */
export function checked<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    (issue) => `${issue.path.length === 0 ? 'the message' : issue.path.join('.')}: ${issue.message}`,
  );
  throw new PenstockError('PS4101', `not a valid ${what} (${problems.slice(0, 5).join('; ')})`, {
    category: 'permanent',
    cause: result.error,
  });
}
