import { categoryOfName, categoryOfText, type Category } from '../diagnostics/index.js';

/** What a client of a log reports: the name of its error, its message, and what was being done. */
export interface TransportFailure {
  readonly operation: 'consumer' | 'producer';
  readonly name: string;
  readonly message: string;
}

export interface TransportVerdict {
  readonly category: Category;
  /** The log asks for less. */
  readonly throttling: boolean;
}

const THROTTLING = /^(?:Throttling(?:Error|QuotaExceededError)?|ProducerFenced(?:Error)?|ServerBusyError)$/;
const AUTH = /^(?:(?:Topic|Group|Cluster)AuthorizationFailed|SaslAuthentication(?:Failed)?|ClientAuthentication|Authentication)Error$/;
const PERMANENT =
  /^(?:UnknownTopicOrPartition|(?:MessageSize|Message|Record|RecordBatch)TooLarge|RecordList|Invalid(?:Topic|Config|Configuration|Replication|ReplicationFactor|Partitions)|UnsupportedVersion|IllegalState|OffsetOutOfRange|EventData|EventDataSend|Schema|JSONDecode|UnicodeDecode)Error$/;
const TRANSIENT =
  /^(?:BrokerNotAvailable|KafkaConnection|Connection|Connect|ConnectionLost|AMQPConnection|NodeNotReady|LeaderNotAvailable|NotLeaderForPartition|NotLeaderOrFollower|RequestTimedOut|KafkaTimeout|Timeout|OperationTimeout|Network|CorrelationId|BrokerResponse|EventHub)(?:Error|Exception)$/;

/** What a failure of the log's client means; its name first, words of its message as the last resort. */
export function transportVerdict({ operation, name, message }: TransportFailure): TransportVerdict {
  if (THROTTLING.test(name)) return { category: 'transient', throttling: true };
  return { category: byName(name) ?? byText(operation, name, message), throttling: false };
}

function byName(name: string): Category | undefined {
  if (AUTH.test(name)) return 'auth';
  if (PERMANENT.test(name)) return 'permanent';
  if (TRANSIENT.test(name)) return 'transient';
  const category = categoryOfName(name);
  return category === 'unknown' ? undefined : category;
}

/** Words for a log that cannot be reached at the moment; a consumer waits for nodes, a producer reports what it does not know. */
const AWAY = { consumer: /timeout|network|connection|broker|not ready/i, producer: /timeout|network|connection|broker/i } as const;

function byText(operation: TransportFailure['operation'], name: string, message: string): Category {
  return AWAY[operation].test(message) ? 'transient' : categoryOfText(name, message);
}
