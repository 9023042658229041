import type { Subscription } from 'rxjs';
import type { Delivery } from '../../../operators/index.js';
import type { Consumer, LogRecord } from '../../transport/transport.js';

/** Waits until something holds; fails with what it waited for. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Lets pass what was already under way. */
export async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Subscribes to a consumer and keeps what it hands out, for a test to settle. */
export class Collector {
  readonly deliveries: Delivery<LogRecord>[] = [];
  completed = false;
  error: Error | undefined;
  private readonly subscription: Subscription;

  constructor(
    readonly consumer: Consumer,
    private readonly onEach: (delivery: Delivery<LogRecord>) => void = () => undefined,
  ) {
    this.subscription = consumer.deliveries$.subscribe({
      next: (delivery) => {
        this.deliveries.push(delivery);
        this.onEach(delivery);
      },
      error: (error: Error) => {
        this.error = error;
      },
      complete: () => {
        this.completed = true;
      },
    });
  }

  get values(): readonly (string | undefined)[] {
    return this.deliveries.map(({ value }) => value.value?.toString());
  }

  async has(count: number): Promise<readonly Delivery<LogRecord>[]> {
    await until(`${count} deliveries`, () => {
      if (this.error !== undefined) throw this.error;
      return this.deliveries.length >= count;
    });
    return this.deliveries;
  }

  unsubscribe(): void {
    this.subscription.unsubscribe();
  }
}

/** Resolves with the door by which a delivery has durably left. */
export function doorOf(delivery: Delivery<unknown>): Promise<string> {
  return new Promise((resolve) => delivery.whenSettled(resolve));
}
