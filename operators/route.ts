import { type OperatorFunction, Subject, type Subscriber } from 'rxjs';
import type { Delivery } from './delivery.js';
import { Stage, stage } from './stage.js';

export interface RouteOptions<T, U> {
  /** Names the branch of an item. */
  readonly by: (value: T, delivery: Delivery<T>) => string;
  /** The branches by name; each is an operator that keeps the law. */
  readonly to: Readonly<Record<string, OperatorFunction<Delivery<T>, Delivery<U>>>>;
  /** Takes items that name no branch. Without it they are filtered, with the reason `no route for …`. */
  readonly otherwise?: OperatorFunction<Delivery<T>, Delivery<U>>;
}

class Routes<T, U> extends Stage<Delivery<T>, Delivery<U>> {
  private readonly branches = new Map<string, Subject<Delivery<T>>>();
  private readonly otherwise: Subject<Delivery<T>> | undefined;
  private open = 0;

  constructor(
    downstream: Subscriber<Delivery<U>>,
    private readonly options: RouteOptions<T, U>,
  ) {
    super(downstream);
    for (const [name, operator] of Object.entries(options.to)) this.branches.set(name, this.branch(operator));
    if (options.otherwise !== undefined) this.otherwise = this.branch(options.otherwise);
  }

  protected override _next(delivery: Delivery<T>): void {
    let name: string;
    try {
      name = this.options.by(delivery.value, delivery);
    } catch (error) {
      delivery.fail(error);
      return;
    }
    const branch = this.branches.get(name) ?? this.otherwise;
    if (branch === undefined) delivery.settle('filtered', `no route for ${name}`);
    else branch.next(delivery);
  }

  protected override _complete(): void {
    if (this.open === 0) this.finish();
    else for (const branch of this.all()) branch.complete();
  }

  protected override _error(error: unknown): void {
    for (const branch of this.all()) branch.error(error);
    if (!this.closed) super._error(error);
  }

  private all(): readonly Subject<Delivery<T>>[] {
    return [...this.branches.values(), ...(this.otherwise === undefined ? [] : [this.otherwise])];
  }

  private branch(operator: OperatorFunction<Delivery<T>, Delivery<U>>): Subject<Delivery<T>> {
    const entrance = new Subject<Delivery<T>>();
    this.open += 1;
    this.add(
      operator(entrance).subscribe({
        next: (delivery) => this.downstream.next(delivery),
        error: (error: unknown) => {
          this.downstream.error(error);
          this.unsubscribe();
        },
        complete: () => {
          this.open -= 1;
          if (this.open === 0) this.finish();
        },
      }),
    );
    return entrance;
  }
}

/**
 * Sends each item through the branch that it names; what comes out of the branches goes on together.
 *
 * ```marbles
 * in        -a-b-c-|
 * out       -A-b---|
 * filtered  -----c--
 * ```
 *
 * Drawn with a branch that makes `a` great, one that lets `b` pass, and none for `c`. Items keep their order within a branch. When the source
 * completes, this completes when all branches have; an error of a branch ends all. Holds nothing itself.
 */
export function route<T, U = T>(options: RouteOptions<T, U>): OperatorFunction<Delivery<T>, Delivery<U>> {
  return stage((downstream) => new Routes(downstream, options));
}
