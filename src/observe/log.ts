import { pino } from 'pino';
import type { Fields, LogMethod, Logger } from './logger.js';
import { prettyLine } from './pretty-line.js';
import { redactText } from './redact.js';
import { redactFields } from './redact-fields.js';

export interface LogOptions {
  /** Defaults to `info`. */
  readonly level?: string;
  /** Where lines go. Defaults to standard error. */
  readonly stream?: { write(text: string): unknown };
  /** `pretty` is for people, `json` for machines. Defaults to `pretty` on a terminal. */
  readonly format?: 'pretty' | 'json';
  /** Terminal colours of the pretty format. Defaults to whether the stream is a terminal. */
  readonly color?: boolean;
}

const isTerminal = (stream: object): boolean => 'isTTY' in stream && stream.isTTY === true;

/** A logger by pino; secrets, credentials and the signatures of URLs are removed from every text before it is written. */
export function createLogger(options: LogOptions = {}): Logger {
  const stream = options.stream ?? process.stderr;
  const format = options.format ?? (isTerminal(stream) ? 'pretty' : 'json');
  const color = options.color ?? isTerminal(stream);
  const destination = format === 'json' ? stream : { write: (line: string) => void stream.write(prettyLine(line, { color })) };
  const base = pino(
    {
      level: options.level ?? 'info',
      base: null,
      messageKey: 'msg',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination as pino.DestinationStream,
  );
  return wrap(base);
}

function wrap(inner: pino.Logger): Logger {
  const method =
    (level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'): LogMethod =>
    (sentence, fields) => {
      if (inner.isLevelEnabled(level)) inner[level](redactFields(fields ?? {}), redactText(sentence));
    };
  return {
    trace: method('trace'),
    debug: method('debug'),
    info: method('info'),
    warn: method('warn'),
    error: method('error'),
    fatal: method('fatal'),
    child: (fields: Fields) => wrap(inner.child(redactFields(fields))),
    get level() {
      return inner.level;
    },
    set level(level: string) {
      inner.level = level;
    },
  };
}

const silence: LogMethod = () => undefined;

/** Says nothing. */
export const silentLogger: Logger = {
  trace: silence,
  debug: silence,
  info: silence,
  warn: silence,
  error: silence,
  fatal: silence,
  child: () => silentLogger,
  level: 'silent',
};
