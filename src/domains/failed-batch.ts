import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { CATEGORIES } from '../diagnostics/index.js';
import { capErrorText } from '../runtime/error-text.js';
import { count, instantText, optionalInstant, requiredText } from './message-fields.js';

const category = z.enum(CATEGORIES);

/** Rows that could not be written together, as earlier generations of the pipeline put them on a topic. */
export const failedDeltaBatch = z
  .object({
    batch_id: z.string().default(() => randomUUID()),
    events: z.array(z.record(z.string(), z.unknown())).min(1),
    retry_count: count.default(0),
    first_failure_at: instantText,
    last_error: z.string().transform((text) => (text === '' ? 'Unknown error' : capErrorText(text))),
    error_category: z
      .string()
      .default('transient')
      .transform((text) => category.safeParse(text.toLowerCase()).data ?? 'unknown'),
    retry_at: optionalInstant,
    table_path: requiredText,
    event_count: count.nullish(),
  })
  .transform((batch) => ({ ...batch, event_count: batch.event_count ?? batch.events.length }));
export type FailedDeltaBatch = z.output<typeof failedDeltaBatch>;
