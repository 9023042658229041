import type { MarblePlay } from '../play.js';
import { type Drawing, drawingOf, type DrawPlayOptions } from './drawing.js';
import { svgOf } from './svg.js';

/** Draws a play as SVG: one figure, light and dark, with a title and a text that reads the timeline to those who do not see it. */
export function renderMarbles(play: MarblePlay, options: DrawPlayOptions): string;
/** Draws lanes of any origin. */
export function renderMarbles(drawing: Drawing): string;
export function renderMarbles(shown: MarblePlay | Drawing, options: DrawPlayOptions = { title: 'marbles' }): string {
  return svgOf('problems' in shown ? drawingOf(shown, options) : shown);
}
