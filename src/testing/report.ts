import type { Code } from '../diagnostics/index.js';
import { drawLane } from './lane.js';
import type { MarblePlay } from './play.js';

/** A drawing and what happened differ, or the subject did not come to an end. The message shows both, lane under lane. */
export class MarblesError extends Error {
  override readonly name = 'MarblesError';
  readonly code: Code = 'PS5002';

  /** What happened, where it came to a comparison. */
  declare readonly play: MarblePlay | undefined;

  constructor(message: string, play?: MarblePlay) {
    super(message);
    // Not enumerable: the message has drawn it already.
    Object.defineProperty(this, 'play', { value: play });
  }
}

/** All lanes of a play as text, one under the other; those that differ twice: as drawn and as received. */
export function drawPlay({ lanes, problems, length }: MarblePlay): readonly string[] {
  const wrong = new Set(problems.map(({ lane }) => lane));
  const rows: (readonly [label: string, lane: string])[] = [];
  for (const { name, expected, received, ignored } of lanes) {
    const drawn = drawLane(expected ?? [], length);
    const came = drawLane(received, length);
    if (name === 'in') rows.push([name, drawn]);
    else if (wrong.has(name) && drawn !== came) rows.push([`${name} expected`, drawn], [`${name} received`, came]);
    else if (expected !== undefined || !ignored) rows.push([name, expected === undefined ? came : drawn]);
  }
  const width = Math.max(0, ...rows.map(([label]) => label.length));
  return rows.map(([label, lane]) => `  ${label.padEnd(width)}  ${lane}`);
}

/** What is told of a play that is not as drawn. */
export function tell(play: MarblePlay): string {
  const drawn = drawPlay(play);
  const problems = play.problems.map(({ text }) => text);
  const signs = [...problems, ...drawn].join('\n');
  return [...problems, '', ...drawn, ...play.legend.filter((line) => signs.includes(line.slice(0, line.indexOf(' '))))].join('\n');
}
