/** A file's bytes with a place that takes a stamp of `STAMP_LENGTH` characters, so that one file made once serves for many that differ. */
export interface Body {
  readonly contentType: string;
  readonly bytes: Buffer;
  /** Where the stamp stands. */
  readonly stampAt: number;
  /** A checksum that covers the stamp: over `from` to `to`, written at `at`. */
  readonly checksum?: { readonly from: number; readonly to: number; readonly at: number };
}

export const STAMP_LENGTH = 20;

/** What stands at the stamp's place in a file without one. */
export const BLANK_STAMP = '0'.repeat(STAMP_LENGTH);
