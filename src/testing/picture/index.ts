export { type Drawing, drawingOf, type DrawnLane, type DrawnMark, type DrawPlayOptions, timelineText } from './drawing.js';
export { meaningsOf } from './meanings.js';
export { renderMarbles } from './render-marbles.js';
