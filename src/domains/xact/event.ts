import { z } from 'zod';
import { checked, readJson, requiredText } from '../message-fields.js';

/** A raw event under its wire names. */
export interface XactEvent {
  readonly type: string;
  readonly version: number | string;
  /** As received: may be empty, may lack an offset. */
  readonly utcDateTime: string;
  readonly traceId: string;
  readonly eventId: string | null;
  /** The parsed content; an empty object when the text of `data` is no JSON. */
  readonly data: unknown;
}

const DIGITS = /^\d{1,15}$/;

/** Each field's name on the wire, and the name that the model has for it; both are read, the wire's first. */
const NAMES = [
  ['type', 'type'],
  ['version', 'version'],
  ['utcDateTime', 'utc_datetime'],
  ['traceId', 'trace_id'],
  ['eventId', 'event_id'],
  ['data', 'data'],
] as const;

function byWireName(raw: unknown): unknown {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return raw;
  const source = raw as Readonly<Record<string, unknown>>;
  const named: Record<string, unknown> = {};
  for (const [wire, model] of NAMES) {
    if (Object.hasOwn(source, wire)) named[wire] = source[wire];
    else if (Object.hasOwn(source, model)) named[wire] = source[model];
  }
  return named;
}

function contentOf(data: string): unknown {
  if (data.trim() === '') return {};
  try {
    return JSON.parse(data) as unknown;
  } catch {
    return {}; // text that is no JSON has no fields: the event goes on without them, its raw text is kept by the table
  }
}

/** An object as it is: a copy would lose a member that is called `__proto__`. */
const content = z.custom<Readonly<Record<string, unknown>>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'expected an object or its JSON text',
);

/** Reads a raw event: names of the wire and of the model, `data` as an object or as its JSON text; what is not known is left out. */
export const xactEvent = z.preprocess(
  byWireName,
  z.object({
    type: requiredText,
    version: z.union([z.int(), z.string().transform((text) => (DIGITS.test(text) ? Number(text) : text))]).default(1),
    utcDateTime: z
      .string()
      .nullable()
      .default(null)
      .transform((text) => text ?? ''),
    traceId: requiredText,
    eventId: z.string().nullable().default(null),
    data: z.union([z.string().transform(contentOf), content]).default({}),
  }),
);

/** An event from an object of any origin. Throws a `PenstockError` (PS4101, permanent) when it is none. */
export function parseEvent(raw: unknown): XactEvent {
  return checked(xactEvent, raw, 'XACT event');
}

/** An event from a record's bytes. Throws a `PenstockError` (PS4101, permanent) when they are none. */
export function readEvent(bytes: Uint8Array): XactEvent {
  return parseEvent(readJson(bytes));
}

/** What an event says about itself beside its wire fields. */
export interface EventFacts {
  readonly status_subtype: string;
  /** The texts of the list, without empty ones; null when there is no list. */
  readonly attachments: readonly string[] | null;
  /** As it stands in the event: text, or anything else that somebody wrote there. */
  readonly assignment_id: unknown;
  readonly estimate_version: unknown;
}

/** Derives what the pipeline needs to know of an event. */
export function factsOf(event: XactEvent): EventFacts {
  const data = fieldsOf(event.data);
  return {
    status_subtype: subtypeOf(event.type),
    attachments: attachmentsOf(data['attachments']),
    assignment_id: data['assignmentId'] ?? null,
    estimate_version: data['estimateVersion'] ?? null,
  };
}

/** What stands after the last dot of a type; all of it when there is none. */
export function subtypeOf(type: string): string {
  return type.slice(type.lastIndexOf('.') + 1);
}

/** The texts of a list of attachments, in order; null when it is no list. Blank ones are texts, empty ones are not. */
export function attachmentsOf(value: unknown): readonly string[] | null {
  if (!Array.isArray(value)) return null;
  return value.filter((item): item is string => typeof item === 'string' && item !== '');
}

/** The members of an object; none of anything else. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Readonly<Record<string, unknown>>) : {};
}
