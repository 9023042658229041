import { attachmentName, type Drawn, type RawEvent, TYPE_PREFIX } from './events.js';
import { link } from './links.js';
import type { Random } from './random.js';

/** What may be wrong with an event, each as a share of all lines. */
export interface EventFaults {
  /** A line that is no JSON, or no object. */
  readonly malformed: number;
  /** A field of another type than it should have. */
  readonly wrong_type: number;
  readonly missing_field: number;
  /** Bytes that are not UTF-8. */
  readonly invalid_utf8: number;
  /** A line that came before, byte for byte. */
  readonly duplicate: number;
  /** A subtype that nobody has heard of; no error. */
  readonly unknown_subtype: number;
  /** Names and ids that try to leave their directory, or are longer than a file system takes. */
  readonly hostile_name: number;
  /** A link that must not be followed. */
  readonly refused_host: number;
  readonly expired_link: number;
  /** Two attachments of one event with one name; no error. */
  readonly same_name: number;
}

export type EventFault = keyof EventFaults;

export const DEFAULT_EVENT_FAULTS: EventFaults = {
  malformed: 0.01,
  wrong_type: 0.01,
  missing_field: 0.01,
  invalid_utf8: 0.005,
  duplicate: 0.03,
  unknown_subtype: 0.02,
  hostile_name: 0.015,
  refused_host: 0.01,
  expired_link: 0.015,
  same_name: 0.02,
};

export const NO_EVENT_FAULTS: EventFaults = {
  malformed: 0,
  wrong_type: 0,
  missing_field: 0,
  invalid_utf8: 0,
  duplicate: 0,
  unknown_subtype: 0,
  hostile_name: 0,
  refused_host: 0,
  expired_link: 0,
  same_name: 0,
};

/** The line of an event with this fault. A duplicate is made of `earlier`, the lines before it. */
export function faulty(fault: EventFault, drawn: Drawn, random: Random, earlier: readonly Buffer[]): Buffer {
  const { event } = drawn;
  switch (fault) {
    case 'malformed':
      return Buffer.from(malformed(random, JSON.stringify(event)));
    case 'invalid_utf8':
      return invalidUtf8(random, Buffer.from(JSON.stringify(event)));
    case 'duplicate':
      return earlier.length === 0 ? lineOf(event) : random.pick(earlier);
    case 'wrong_type':
      return lineOf(wrongType(random, event));
    case 'missing_field':
      return lineOf(missingField(random, event));
    case 'unknown_subtype':
      return lineOf({ ...event, type: random.pick([`${TYPE_PREFIX}kiteInspected`, `${TYPE_PREFIX}moonPhase`, 'undotted']) });
    case 'hostile_name':
      return lineOf(hostile(random, drawn));
    case 'refused_host':
      return lineOf(withLinks(drawn, [refusedLink(random, drawn)]));
    case 'expired_link':
      return lineOf(withLinks(drawn, [expiredLink(random, drawn)]));
    case 'same_name':
      return lineOf(sameName(random, drawn));
  }
}

export function lineOf(event: unknown): Buffer {
  return Buffer.from(JSON.stringify(event));
}

function malformed(random: Random, text: string): string {
  return random.pick([
    text.slice(0, random.int(1, text.length - 1)),
    text.replace('{', '{,'),
    `[${text}]`,
    '"just a text"',
    'null',
    'not JSON at all',
    '<event/>',
  ]);
}

function invalidUtf8(random: Random, line: Buffer): Buffer {
  const at = line.indexOf('"description":"') + '"description":"'.length;
  const stray = Buffer.from(random.pick(['\xff\xfe', '\xc3\x28', '\xe2\x82', '\xed\xa0\x80']), 'latin1');
  return Buffer.concat([line.subarray(0, at), stray, line.subarray(at)]);
}

function wrongType(random: Random, event: RawEvent): unknown {
  return random.pick<unknown>([
    { ...event, type: { name: event.type } },
    { ...event, type: 7 },
    { ...event, traceId: 12_345 },
    { ...event, traceId: [event.traceId] },
    { ...event, utcDateTime: 1_767_600_000 },
    { ...event, utcDateTime: 'the day before yesterday' },
    { ...event, data: [event.data] },
    { ...event, data: 42 },
    { ...event, data: { ...event.data, attachments: 'https://files.simulator.penstock.example/one-text.pdf' } },
    { ...event, data: { ...event.data, attachments: [null, 3, '', { url: 'nested' }, ...(event.data.attachments ?? [])] } },
    { ...event, data: { ...event.data, assignmentId: { id: event.data['assignmentId'] } } },
  ]);
}

function missingField(random: Random, event: RawEvent): unknown {
  const { type, traceId, utcDateTime, data, ...rest } = event;
  const { assignmentId: _absent, ...withoutAssignment } = data;
  return random.pick<unknown>([
    { ...rest, traceId, utcDateTime, data },
    { ...rest, type, utcDateTime, data },
    { ...rest, type, traceId, data },
    { ...rest, type, traceId, utcDateTime },
    { ...rest, type: '  ', traceId, utcDateTime, data },
    { ...rest, type, traceId, utcDateTime, data: withoutAssignment },
    { ...rest, type, traceId, utcDateTime, data: null },
  ]);
}

function hostile(random: Random, drawn: Drawn): RawEvent {
  const place = random.int(0, 9);
  if (place === 0) return withId(drawn, '../../../outside');
  if (place === 1) return withId(drawn, '..\\..\\outside\u0000');
  const name = random.pick([
    '../../../../etc/passwd.pdf',
    '..\\..\\outside.pdf',
    'nul\u0000byte.pdf',
    'line\nbreak.pdf',
    `${'x'.repeat(4096)}.pdf`,
    `${'é'.repeat(300)}.pdf`,
    '..',
    '.hidden',
    'trailing-dot.',
    'no-extension',
    'CON.pdf',
    'right\u202efdp.esx',
  ]);
  const url = link(random, { folder: drawn.claim.assignmentId, name, signedAt: drawn.at });
  // Some clients leave names as they are instead of encoding them.
  return withLinks(drawn, [random.chance(0.5) && name.length < 100 ? url.replace(encodeURIComponent(name), name) : url]);
}

function withId({ event }: Drawn, id: string): RawEvent {
  return { ...event, data: { ...event.data, assignmentId: id } };
}

function withLinks({ event }: Drawn, links: readonly string[]): RawEvent {
  return { ...event, data: { ...event.data, attachments: [...(event.data.attachments ?? []), ...links].slice(-3) } };
}

function refusedLink(random: Random, { at }: Drawn): string {
  const parts = { folder: 'refused', name: 'report.pdf', signedAt: at };
  const origin = random.pick([
    'https://files.elsewhere.example',
    'http://files.simulator.penstock.example',
    'https://127.0.0.1',
    'https://[::ffff:127.0.0.1]',
    'https://2130706433',
    'https://169.254.169.254',
    'https://files.simulator.penstock.example.elsewhere.example',
    'https://user:word@files.simulator.penstock.example',
    'ftp://files.simulator.penstock.example',
  ]);
  return link(random, { ...parts, origin });
}

function expiredLink(random: Random, { claim }: Drawn): string {
  return link(random, {
    folder: claim.assignmentId,
    name: attachmentName(random, 'pdf', 1),
    signedAt: new Date(Date.UTC(2020, random.int(0, 11), random.int(1, 28))),
    expiresInSeconds: 900,
  });
}

function sameName(random: Random, drawn: Drawn): RawEvent {
  const name = attachmentName(random, 'pdf', 1);
  const twins = [0, 1].map(() => link(random, { folder: drawn.claim.assignmentId, name, signedAt: drawn.at }));
  return withLinks(drawn, twins);
}
