import { z } from 'zod';

const NAME = /^[A-Za-z0-9._-]{1,249}$/;

/** The schema of a topic's name, as logs accept it: letters, digits, dot, dash and underscore, at most 249 of them. */
export function topic(): z.ZodString {
  return z
    .string()
    .regex(NAME, 'a topic is 1 to 249 letters, digits, dots, dashes or underscores')
    .refine((name) => name !== '.' && name !== '..', 'a topic cannot be called "." or ".."');
}

/** One topic or a list of them, as a list. */
export function topics(): z.ZodType<readonly string[], string | readonly string[]> {
  return z.union([topic().transform((name) => [name]), z.array(topic()).min(1)]);
}
