import { DIGITS, type Random } from './random.js';
import { CARRIERS, FIRST_NAMES, LAST_NAMES, LOSSES, STREETS } from './vocabulary.js';

/** What the events of one claim have in common. */
export interface Claim {
  readonly assignmentId: string;
  readonly originalAssignmentId: string | null;
  readonly claimNumber: string;
  readonly policyNumber: string;
  readonly carrierId: string;
  readonly carrier: string;
  readonly loss: string;
  readonly address: string;
  readonly contact: { readonly type: string; readonly name: string; readonly phone: string; readonly email: string };
  readonly adjuster: { readonly name: string; readonly email: string };
  /** The version of the latest estimate; it grows with each. */
  estimateVersion: number;
}

const MOST_ACTIVE = 100;

/** Draws claims: mostly one that is under way, now and then a new one, which pushes the oldest out. */
export function claimBook(random: Random): () => Claim {
  const active: Claim[] = [];
  return () => {
    if (active.length > 0 && random.chance(0.7)) return random.pick(active);
    const claim = newClaim(random);
    active.push(claim);
    if (active.length > MOST_ACTIVE) active.shift();
    return claim;
  };
}

function newClaim(random: Random): Claim {
  const insured = person(random);
  const adjuster = person(random);
  return {
    assignmentId: `${random.int(1, 9)}${random.text(8, DIGITS)}`,
    originalAssignmentId: random.chance(0.15) ? `${random.int(1, 9)}${random.text(8, DIGITS)}` : null,
    claimNumber: `CLM-${random.text(8, DIGITS)}`,
    policyNumber: `POL-${random.text(6, DIGITS)}-${random.text(2, DIGITS)}`,
    carrierId: random.text(7, DIGITS),
    carrier: random.pick(CARRIERS),
    loss: random.pick(LOSSES),
    address: `${random.int(1, 9999)} ${random.pick(STREETS)}, Stubford, ZY ${random.text(5, DIGITS)}`,
    contact: {
      type: random.pick(['insured', 'claimant', 'tenant']),
      name: insured.name,
      phone: `555-01${random.text(2, DIGITS)}`,
      email: insured.email,
    },
    adjuster,
    estimateVersion: 0,
  };
}

function person(random: Random): { readonly name: string; readonly email: string } {
  const first = random.pick(FIRST_NAMES);
  const last = random.pick(LAST_NAMES);
  return { name: `${first} ${last}`, email: `${first}.${last}@example.com`.toLowerCase() };
}
