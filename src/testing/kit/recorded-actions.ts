import type { MarblePlay } from '../play.js';

/** One action of a play, for snapshots. */
export interface RecordedAction {
  /** Milliseconds. */
  readonly at: number;
  /** As its lane is called: `publish xact.alerts.failures`. */
  readonly action: string;
  /** The payload, body, text or value. */
  readonly content: unknown;
}

const ACTIONS = /^(?:publish|webhook|metric) |^(?:log|header|email)$/;

/** The actions of a play in the order in which they were asked for. */
export function recordedActions({ lanes }: MarblePlay): readonly RecordedAction[] {
  return lanes
    .filter(({ name }) => ACTIONS.test(name))
    .flatMap(({ name, received }) => received.map(({ frame, value }) => ({ at: frame, action: name, content: value })))
    .sort((a, b) => a.at - b.at);
}
