export { type Drawing, drawingOf, type DrawnLane, type DrawnMark, type DrawPlayOptions, timelineText } from './drawing.js';
export { renderMarbles } from './render-marbles.js';
