import type { OperatorFunction } from 'rxjs';
import { type Delivery, perMessage } from '../../operators/index.js';
import type { LogRecord } from '../transport/transport.js';

export interface RecordsOptions<T> {
  /** What retries and dead letters call the place that the messages come from. */
  readonly topic: string;
  /** The key of a message. Defaults to none. */
  readonly key?: (message: T) => string;
  /** Headers that travel with a message: `event_type`, say, which plugins see as the type of the event. Defaults to none. */
  readonly headers?: (message: T) => Readonly<Record<string, string>>;
}

/**
 * Messages of any source as a worker takes them: JSON records of one partition, numbered as they come. A record's claim is that of its message, so
 * whoever brought the message hears how it left.
 */
export function records<T>({ topic, key, headers }: RecordsOptions<T>): OperatorFunction<Delivery<T>, Delivery<LogRecord>> {
  return perMessage<T, LogRecord>(() => {
    let offset = 0;
    return (message, delivery) => {
      const record: LogRecord = {
        topic,
        partition: 0,
        offset,
        key: key === undefined ? null : Buffer.from(key(message)),
        value: Buffer.from(JSON.stringify(message)),
        headers: headers === undefined ? [] : Object.entries(headers(message)).map(([name, text]) => [name, Buffer.from(text)] as const),
        timestamp: Date.now(),
      };
      offset += 1;
      return delivery.with(record);
    };
  });
}
