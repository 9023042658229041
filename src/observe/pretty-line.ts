export interface PrettyOptions {
  readonly color: boolean;
}

const COLORS: Readonly<Record<string, string>> = { trace: '90', debug: '90', info: '36', warn: '33', error: '31', fatal: '31' };

/** A log line of JSON for people: time, level, worker, sentence, then the fields. What is not such a line stays as it is. */
export function prettyLine(line: string, { color }: PrettyOptions): string {
  const entry = parsed(line);
  if (entry === undefined) return line;
  const { time, level, msg, worker, ...fields } = entry;
  const paint = (text: string, code: string | undefined): string =>
    color && code !== undefined ? `\u001b[${code}m${text}\u001b[0m` : text;
  const parts = [
    paint(asText(time).slice(11, 23), '90'),
    paint(asText(level).padEnd(5), COLORS[asText(level)]),
    worker === undefined ? undefined : paint(`[${asText(worker)}]`, '35'),
    asText(msg),
    ...Object.entries(fields).map(([key, value]) =>
      paint(`${key}=${typeof value === 'string' && !/[\s"]/.test(value) ? value : JSON.stringify(value)}`, '90'),
    ),
  ];
  return `${parts.filter((part) => part !== undefined && part !== '').join(' ')}\n`;
}

function parsed(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch (error) {
    // A line that a library wrote by itself may look like JSON; it is passed on as text.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
