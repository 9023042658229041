import type { MarblePlay } from './play.js';

const watchers = new Set<(play: MarblePlay) => void>();

/** Tells of each play of this process, when it has been judged; the answer ends that. For figures, reports and coverage. */
export function watchPlays(watcher: (play: MarblePlay) => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** A play has been judged. */
export function told(play: MarblePlay): MarblePlay {
  for (const watcher of watchers) watcher(play);
  return play;
}
