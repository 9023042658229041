export type Fields = Readonly<Record<string, unknown>>;

export type LogMethod = (sentence: string, fields?: Fields) => void;

/** A sentence and fields. What is written is redacted; below the level a call costs a comparison. */
export interface Logger {
  readonly trace: LogMethod;
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  readonly fatal: LogMethod;
  /** A logger whose lines carry these fields as well; one a worker. */
  child(fields: Fields): Logger;
  /** The level can be changed while running; children follow their parent's at the time they are made. */
  level: string;
}
