/** A transfer that is being watched. */
export interface Transfer {
  /** So many bytes arrived. */
  received(bytes: number): void;
  /** The bytes are being put away here: until `resume`, waiting is nobody's fault but ours. */
  pause(): void;
  resume(): void;
  done(): void;
}

export interface TransferWatchOptions {
  /** The longest silence, in milliseconds. */
  readonly idleTimeoutMs: number;
  /** The least average speed of a window. 0 turns this off. */
  readonly minBytesPerSecond: number;
  /** How long a window is, in milliseconds; the first is the time to get going. */
  readonly windowMs: number;
  readonly now: () => number;
}

export interface TransferWatch {
  start(tooSlow: (why: string) => void): Transfer;
}

class Watched implements Transfer {
  private heardAt: number;
  private windowFrom: number;
  private windowBytes = 0;
  private paused = false;

  constructor(
    private readonly options: TransferWatchOptions,
    readonly tooSlow: (why: string) => void,
    private readonly leave: (transfer: Watched) => void,
  ) {
    this.heardAt = options.now();
    this.windowFrom = this.heardAt;
  }

  received(bytes: number): void {
    this.heardAt = this.options.now();
    this.windowBytes += bytes;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.heardAt = this.options.now();
  }

  done(): void {
    this.leave(this);
  }

  /** What is wrong with it, if anything is. */
  complaint(): string | undefined {
    if (this.paused) return undefined;
    const now = this.options.now();
    const { idleTimeoutMs, minBytesPerSecond, windowMs } = this.options;
    if (now - this.heardAt >= idleTimeoutMs) return `no byte arrived for ${idleTimeoutMs} ms`;
    const elapsed = now - this.windowFrom;
    if (elapsed < windowMs) return undefined;
    const speed = (this.windowBytes * 1000) / elapsed;
    if (speed < minBytesPerSecond) return `${Math.floor(speed)} bytes a second are fewer than ${minBytesPerSecond}`;
    this.windowFrom = now;
    this.windowBytes = 0;
    return undefined;
  }
}

/**
 * Watches transfers for silence and slowness. There is no limit on the whole: a large file may take its time as long as bytes come.
 *
 * One sweep looks after all of them, instead of a timer each; it runs only while there are any and keeps no process alive.
 */
export function createTransferWatch(options: TransferWatchOptions): TransferWatch {
  const transfers = new Set<Watched>();
  const everyMs = Math.max(5, Math.min(1000, options.idleTimeoutMs / 4, options.windowMs / 4));
  let sweep: NodeJS.Timeout | undefined;
  const leave = (transfer: Watched) => {
    transfers.delete(transfer);
    if (transfers.size > 0) return;
    clearInterval(sweep);
    sweep = undefined;
  };
  const look = () => {
    for (const transfer of transfers) {
      const complaint = transfer.complaint();
      if (complaint === undefined) continue;
      leave(transfer);
      transfer.tooSlow(complaint);
    }
  };
  return {
    start: (tooSlow) => {
      const transfer = new Watched(options, tooSlow, leave);
      transfers.add(transfer);
      sweep ??= setInterval(look, everyMs).unref();
      return transfer;
    },
  };
}
