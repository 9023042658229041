import type { OperatorFunction } from 'rxjs';
import { type Delivery, perMessage } from '../../operators/index.js';
import type { Context } from './context.js';
import { PluginContext } from './plugin-context.js';

export interface ContextsOptions<T, D extends string, S extends string, Data extends Readonly<Record<string, unknown>>> {
  readonly domain: D;
  readonly stage: S;
  /** What the message is called, the same every time it comes. */
  readonly event_id: (message: T) => string;
  /** Defaults to none. */
  readonly event_type?: (message: T) => string | null;
  /** Defaults to none. */
  readonly project_id?: (message: T) => string | null;
  /** Defaults to nothing. */
  readonly data?: (message: T) => Data;
  /** Headers that publishes carry. Defaults to none; plugins see those of the record as well. */
  readonly headers?: (message: T, delivery: Delivery<T>) => Readonly<Record<string, string>>;
  /** Defaults to 0. */
  readonly retry_count?: (message: T, delivery: Delivery<T>) => number;
  /** Defaults to none. */
  readonly error?: (message: T, delivery: Delivery<T>) => unknown;
  /** Defaults to the time when it is first read. */
  readonly timestamp?: (message: T, delivery: Delivery<T>) => Date;
}

/** Puts each message into a context, as plugins see it. */
export function contexts<
  T,
  const D extends string,
  const S extends string,
  Data extends Readonly<Record<string, unknown>> = Readonly<Record<string, never>>,
>(
  options: ContextsOptions<T, D, S, Data>,
): OperatorFunction<Delivery<T>, Delivery<Context<T, Data> & { readonly domain: D; readonly stage: S }>> {
  type Typed = Context<T, Data> & { readonly domain: D; readonly stage: S };
  return perMessage<T, Typed>(() => (message, delivery) => {
    const added = options.headers?.(message, delivery);
    const timestamp = options.timestamp?.(message, delivery);
    const data = options.data?.(message);
    return delivery.with(
      new PluginContext<T, Data>({
        domain: options.domain,
        stage: options.stage,
        message,
        event_id: options.event_id(message),
        event_type: options.event_type?.(message) ?? null,
        project_id: options.project_id?.(message) ?? null,
        error: options.error?.(message, delivery) ?? null,
        retry_count: options.retry_count?.(message, delivery) ?? 0,
        ...(delivery.origin === undefined ? {} : { headers: delivery.origin.headers }),
        ...(data === undefined ? {} : { data }),
        ...(added === undefined ? {} : { added_headers: added }),
        ...(timestamp === undefined ? {} : { timestamp }),
      }) as PluginContext<T, Data> & Typed,
    );
  });
}
