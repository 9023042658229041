import type { FileType } from './bodies/index.js';
import { type Claim, claimBook } from './claims.js';
import { link } from './links.js';
import { HEX, type Random } from './random.js';
import { FILE_STEMS, NOTES } from './vocabulary.js';

/** A raw XACT event as it stands on the wire, before anything is done to it. */
export interface RawEvent {
  readonly type: string;
  readonly version: number;
  readonly utcDateTime: string;
  readonly traceId: string;
  readonly data: Readonly<Record<string, unknown>> & { readonly attachments?: readonly string[] };
}

export const TYPE_PREFIX = 'verisk.claims.property.xn.';

const SUBTYPES = {
  documentsReceived: 44,
  firstNoticeOfLossReceived: 12,
  estimatePackageReceived: 16,
  estimateCreated: 10,
  paymentProcessorAssigned: 8,
  inspectionScheduled: 8,
  testDocumentsReceived: 2,
};

const TYPE_WEIGHTS: Readonly<Record<FileType, number>> = { pdf: 26, jpg: 34, png: 12, esx: 14, csv: 6, docx: 8 };

const ATTACHMENT_WEIGHTS = { 0: 10, 1: 45, 2: 27, 3: 18 };

export interface EventsOptions {
  readonly random: Random;
  readonly startAt: Date;
  /** The same number of attachments for every event. Defaults to a mix of none to three. */
  readonly attachments?: number | undefined;
}

export interface Drawn {
  readonly event: RawEvent;
  readonly claim: Claim;
  /** When it happened, and its links were signed. */
  readonly at: Date;
}

/** Draws events one after the other, a few seconds apart in their own time, which starts where it is told and never reads a clock. */
export function eventBook({ random, startAt, attachments }: EventsOptions): () => Drawn {
  const nextClaim = claimBook(random);
  let time = startAt.getTime();
  return () => {
    time += random.int(200, 9000);
    const claim = nextClaim();
    const at = new Date(time);
    const subtype = random.weighted(SUBTYPES);
    const count = attachments ?? Number(random.weighted(ATTACHMENT_WEIGHTS));
    const names = attachmentNames(random, subtype, count);
    const event: RawEvent = {
      type: `${TYPE_PREFIX}${subtype}`,
      version: 1,
      utcDateTime: spelled(random, at),
      traceId: uuid(random),
      data: {
        ...common(random, claim, at),
        estimateVersion: estimateVersion(claim, subtype),
        ...(count === 0 && random.chance(0.5)
          ? {}
          : { attachments: names.map((name) => link(random, { folder: claim.assignmentId, name, signedAt: at })) }),
      },
    };
    return { event, claim, at };
  };
}

function common(random: Random, claim: Claim, at: Date): Readonly<Record<string, unknown>> {
  return {
    assignmentId: claim.assignmentId,
    originalAssignmentId: claim.originalAssignmentId,
    description: `${claim.loss} loss, ${random.pick(NOTES)}`,
    note: random.chance(0.3) ? random.pick(NOTES) : null,
    author: claim.adjuster.name,
    carrierId: claim.carrierId,
    senderReviewerName: claim.adjuster.name,
    senderReviewerEmail: claim.adjuster.email,
    carrierReviewerName: claim.carrier,
    carrierReviewerEmail: 'reviews@example.com',
    policyNumber: claim.policyNumber,
    propertyAddress: claim.address,
    dateTime: new Date(at.getTime() - 7 * 3_600_000).toISOString().slice(0, 19),
    adm: { coverageLoss: { claimNumber: claim.claimNumber } },
    contact: {
      type: claim.contact.type,
      name: claim.contact.name,
      contactMethods: {
        phone: { type: 'cell', number: claim.contact.phone, extension: random.chance(0.2) ? String(random.int(10, 99)) : null },
        email: { address: claim.contact.email },
      },
    },
  };
}

function estimateVersion(claim: Claim, subtype: string): string | null {
  if (!subtype.startsWith('estimate')) return null;
  claim.estimateVersion += 1;
  return String(claim.estimateVersion);
}

function attachmentNames(random: Random, subtype: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => {
    const type = subtype.startsWith('estimate') && index === 0 ? 'esx' : random.weighted(TYPE_WEIGHTS);
    return attachmentName(random, type, index + 1);
  });
}

/** A file name of the type; some are shouted, as cameras do. */
export function attachmentName(random: Random, type: FileType, index: number): string {
  const extension = random.chance(0.1) ? type.toUpperCase() : type;
  return `${type === 'esx' ? 'estimate' : random.pick(FILE_STEMS)}_${index}.${extension}`;
}

/** An instant in one of the spellings that sources use; all of them mean UTC. */
function spelled(random: Random, at: Date): string {
  const text = at.toISOString();
  const spelling = random.weighted({ zulu: 60, fraction: 20, offset: 15, naive: 5 });
  if (spelling === 'fraction') return text;
  const seconds = text.slice(0, 19);
  if (spelling === 'zulu') return `${seconds}Z`;
  return spelling === 'offset' ? `${seconds}+00:00` : seconds;
}

function uuid(random: Random): string {
  const text = random.text(30, HEX);
  const variant = random.pick(['8', '9', 'a', 'b']);
  return `${text.slice(0, 8)}-${text.slice(8, 12)}-4${text.slice(12, 15)}-${variant}${text.slice(15, 18)}-${text.slice(18)}`;
}
