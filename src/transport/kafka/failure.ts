import { type Category, type Code, PenstockError } from '../../diagnostics/index.js';

/** What the client's errors have in common; nothing of it is promised. */
interface ClientError {
  readonly name?: string;
  readonly message?: string;
  /** The protocol's own name of an error. */
  readonly type?: string;
  readonly code?: string | number;
  readonly cause?: unknown;
  readonly originalError?: unknown;
  /** What an error that only says that there were some has below it. */
  readonly errors?: readonly unknown[];
}

const REFUSED = /_AUTHORIZATION_FAILED$|^SASL_AUTHENTICATION_FAILED$|^ILLEGAL_SASL_STATE$|^UNSUPPORTED_SASL_MECHANISM$|^SECURITY_DISABLED$/;
const TLS_CODES =
  /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(?:_LOCALLY)?|CERT_\w+|ERR_TLS_\w+|EPROTO|ERR_SSL_\w+)$/;
const TLS_WORDS = /certificate|self.signed|altnames|SSL routines|DECODER routines|PEM routines|wrong version number/i;
const TOO_LARGE = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'INVALID_TIMESTAMP']);

/** The group is being spread anew: the next assignment says whose the partitions are. */
export const REBALANCING = new Set(['REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID']);

/** The protocol's name for what went wrong, wherever the client has hidden it. */
export function protocolType(error: unknown): string | undefined {
  for (const each of chain(error)) if (typeof each.type === 'string') return each.type;
  return undefined;
}

/** The client says that nobody coordinates the group, whatever the brokers have answered. */
export function isWithoutCoordinator(error: unknown): boolean {
  for (const { name, message } of chain(error)) {
    if (name === 'KafkaJSGroupCoordinatorNotFound' || message?.includes('Failed to find group coordinator') === true) return true;
  }
  return false;
}

function* chain(error: unknown): Generator<ClientError> {
  let each = error as ClientError | undefined;
  for (let depth = 0; depth < 6 && typeof each === 'object' && each !== null; depth += 1) {
    yield each;
    each = (each.cause ?? each.originalError ?? each.errors?.[0]) as ClientError | undefined;
  }
}

/** A failure of the client as one of ours: what it means, and what was being done. */
export function toPenstock(error: unknown, doing: string): PenstockError {
  for (const each of chain(error)) if (each instanceof PenstockError) return each;
  const { code, category, help } = verdictOf(error);
  const [said] = (error as ClientError | undefined)?.errors ?? [error];
  const message = said instanceof Error ? said.message : String(said);
  return new PenstockError(code, `${doing}: ${message}`, { category, cause: error, ...(help === undefined ? {} : { help }) });
}

interface Verdict {
  readonly code: Code;
  readonly category: Category;
  readonly help?: string;
}

const CLOSED = 'a broker that ends connections at once speaks TLS on that port (kafka.tls), or wants to know who is there (kafka.sasl)';

/** What to do about errors of the protocol that have a remedy of their own. */
const REMEDIES: Readonly<Record<string, Verdict>> = {
  UNSUPPORTED_SASL_MECHANISM: { code: 'PS3007', category: 'auth', help: 'check kafka.sasl.mechanism: the brokers do not offer this one' },
  ILLEGAL_SASL_STATE: {
    code: 'PS3007',
    category: 'auth',
    help: 'this port asks for no user: leave kafka.sasl out, or use the port that asks',
  },
  INVALID_SESSION_TIMEOUT: {
    code: 'PS3001',
    category: 'transient',
    help: 'the brokers take a kafka.session_timeout between their group.min.session.timeout.ms (usually 6 s) and group.max.session.timeout.ms',
  },
};

function isClosed(error: unknown): boolean {
  for (const { name, message } of chain(error)) if (name === 'KafkaJSConnectionClosedError' || message === 'Closed connection') return true;
  return false;
}

function verdictOf(error: unknown): Verdict {
  const type = protocolType(error);
  for (const each of chain(error)) {
    if (each.name === 'KafkaJSSASLAuthenticationError' || each.name === 'KafkaJSUnsupportedMagicByteInMessageSet') {
      return { code: 'PS3007', category: 'auth', help: 'check kafka.sasl: the mechanism, the user and the password' };
    }
    if (TLS_CODES.test(String(each.code)) || TLS_WORDS.test(each.message ?? '')) {
      return {
        code: 'PS3007',
        category: 'auth',
        help: 'check kafka.tls: whether the port speaks TLS, and which authority signed its certificate',
      };
    }
  }
  const known = type === undefined ? undefined : REMEDIES[type];
  if (known !== undefined) return known;
  if (type !== undefined && REFUSED.test(type)) {
    return { code: 'PS3007', category: 'auth', help: 'ask for the right in the access control lists of the brokers' };
  }
  if (isClosed(error)) return { code: 'PS3001', category: 'transient', help: CLOSED };
  if (type === 'UNKNOWN_TOPIC_OR_PARTITION' || type === 'INVALID_TOPIC_EXCEPTION') return { code: 'PS3008', category: 'transient' };
  if (type !== undefined && TOO_LARGE.has(type)) return { code: 'PS4101', category: 'permanent' };
  return { code: 'PS3001', category: 'transient' };
}
