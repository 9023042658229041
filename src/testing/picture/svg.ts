import { createHash } from 'node:crypto';
import { type Drawing, type DrawnLane, type DrawnMark, timelineText } from './drawing.js';
import { LANES, MARBLES, PARTS } from './palette.js';
import { type TimeScale, timeScale } from './time-scale.js';

/** All lengths in pixels of the picture's own size. */
const EDGE = 14;
const LEFT = EDGE + 20;
const RADIUS = 12;
const STACK = 2 * RADIUS + 2;
const LABEL = 20;
const LANE = LABEL + 2 * RADIUS + 10;
const BOX = 30;
const RULER = 24;
const LEGEND = 18;
const NARROWEST = 300;
const WIDEST = 460;

/** Lanes of actions: their marks are squares, since they are no deliveries. */
const EFFECTS: ReadonlySet<string> = new Set(['publish', 'webhook', 'log', 'metric', 'header', 'email']);

/**
 * Draws marbles as SVG: lanes under each other on one scale of time, what enters above its subject and what comes of it below. Light and dark in one
 * file, by the reader's preference; on a ground of its own, so that it can be read on any page; made of a plain string, the same for the same drawing.
 */
export function svgOf(drawing: Drawing): string {
  return new Picture(drawing).svg();
}

class Picture {
  private readonly scale: TimeScale;
  private readonly width: number;
  private readonly colours = new Map<string, number>();
  private readonly used = new Set<string>();
  private readonly body: string[] = [];
  private readonly guides: string[] = [];
  private y = EDGE;
  private firstLine = 0;

  constructor(private readonly drawing: Drawing) {
    this.scale = timeScale(drawing, { left: LEFT, room: WIDEST - LEFT - EDGE - 24, apart: STACK + 2 });
    for (const { marks } of drawing.lanes) for (const mark of marks) if (mark.kind === 'next') this.colourOf(mark.symbol);
    const texts = [
      ...drawing.lanes.map(({ name }) => 20 + 7.4 * name.length),
      ...this.legend().map(({ meaning }) => 30 + 6.6 * meaning.length),
      24 + 8 * (drawing.subject?.length ?? 0),
    ];
    const wanted = Math.max(this.scale.end + 24 + EDGE, ...texts.map((text) => text + 2 * EDGE));
    this.width = Math.round(Math.max(NARROWEST, Math.min(wanted, Math.max(WIDEST, this.scale.end + 24 + EDGE))));
  }

  svg(): string {
    const { drawing, width } = this;
    const [first, ...rest] = drawing.lanes[0]?.name === 'in' ? drawing.lanes : [undefined, ...drawing.lanes];
    if (first !== undefined) this.lane(first);
    if (drawing.listening !== undefined) this.listening(drawing.listening);
    if (drawing.drainAt !== undefined) this.span('drains', drawing.drainAt, this.width - EDGE, '');
    if (drawing.subject !== undefined) this.subject(drawing.subject);
    for (const lane of rest) if (lane !== undefined) this.lane(lane);
    this.ruler();
    for (const line of this.legend()) this.legendLine(line);
    const height = Math.round(this.y + EDGE - 4);
    const text = timelineText(drawing);
    const id = `m${createHash('sha256').update(`${drawing.title}\n${text}`).digest('hex').slice(0, 8)}`;
    return [
      `<svg xmlns="http://www.w3.org/2000/svg" class="marbles" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${id}t ${id}d" style="max-width:100%;height:auto">`,
      `<title id="${id}t">${escaped(drawing.title)}</title>`,
      `<desc id="${id}d">${escaped(text)}</desc>`,
      `<style>${this.style()}</style>`,
      `<rect class="g" x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
      ...this.guides,
      ...this.body,
      '</svg>',
      '',
    ].join('\n');
  }

  private lane({ name, marks }: DrawnLane): void {
    const [kind = '', ...address] = name.split(' ');
    const effect = EFFECTS.has(kind);
    const sign = effect ? 'effect' : kind in LANES ? kind : 'plain';
    this.used.add(sign);
    const base = this.y + 12;
    const written = `<tspan class="k">${escaped(kind)}</tspan>${address.length === 0 ? '' : ` ${escaped(shortened(address.join(' '), this.width - 7 * kind.length))}`}`;
    this.body.push(dot(effect, EDGE + 4, base - 4, sign), `<text class="n" x="${EDGE + 14}" y="${base}">${written}</text>`);
    const deepest = Math.max(1, ...[...grouped(marks).values()].map((group) => group.filter((mark) => mark.kind === 'next').length));
    const line = this.y + LABEL + RADIUS;
    if (this.firstLine === 0) this.firstLine = line;
    this.line(line, marks);
    for (const [frame, group] of grouped(marks)) this.moment(this.scale.x(frame), line, group, effect);
    this.y += LANE + (deepest - 1) * STACK;
  }

  private line(y: number, marks: readonly DrawnMark[]): void {
    const end = marks.find(({ kind }) => kind !== 'next');
    const right = this.width - EDGE;
    const until = end === undefined ? right : this.scale.x(end.frame);
    let from: number = EDGE;
    let path = '';
    for (const { x } of this.scale.cuts) {
      if (x > until) break;
      path += `M${n(from)} ${n(y)}H${n(x - 4)}M${n(x - 7)} ${n(y + 5)}l6 -10M${n(x + 1)} ${n(y + 5)}l6 -10`;
      from = x + 4;
    }
    path += `M${n(from)} ${n(y)}H${n(until)}`;
    if (end === undefined) path += `m-6 -4l6 4l-6 4`;
    this.body.push(`<path class="l" d="${path}"/>`);
  }

  /** What happens in a lane at one moment: the end behind, items before it, each under the other. */
  private moment(x: number, y: number, marks: readonly DrawnMark[], effect: boolean): void {
    const items = marks.filter(({ kind }) => kind === 'next');
    const last = y + Math.max(0, items.length - 1) * STACK;
    for (const { kind } of marks) {
      if (kind === 'complete') this.body.push(`<path class="e" d="M${n(x)} ${n(y - RADIUS - 3)}V${n(last + RADIUS + 3)}"/>`);
      if (kind === 'error') this.body.push(`<path class="x" d="M${n(x - 8)} ${n(y - 8)}l16 16m0 -16l-16 16"/>`);
    }
    items.forEach(({ symbol }, at) => {
      const cy = y + at * STACK;
      const shade = `c${this.colourOf(symbol)}`;
      const side = 2 * RADIUS - 2;
      this.body.push(
        effect
          ? `<rect class="${shade}" x="${n(x - side / 2)}" y="${n(cy - side / 2)}" width="${side}" height="${side}" rx="5"/>`
          : `<circle class="${shade}" cx="${n(x)}" cy="${n(cy)}" r="${RADIUS}"/>`,
        `<text class="t ${shade}" x="${n(x)}" y="${n(cy + 4.5)}">${escaped(symbol)}</text>`,
      );
    });
  }

  private listening({ from, until }: NonNullable<Drawing['listening']>): void {
    const left = Number.isFinite(until);
    this.span('subscribed', from, left ? this.scale.x(until) : this.width - EDGE, left ? 'v-6v12' : '');
  }

  /** A stretch of time, from one moment on. */
  private span(name: string, from: number, right: number, end: string): void {
    const base = this.y + 12;
    const y = this.y + LABEL + 6;
    this.used.add('plain');
    this.body.push(
      dot(false, EDGE + 4, base - 4, 'plain'),
      `<text class="n" x="${EDGE + 14}" y="${base}"><tspan class="k">${name}</tspan></text>`,
      `<path class="s" d="M${n(this.scale.x(from))} ${n(y - 6)}v12v-6H${n(right)}${end}"/>`,
    );
    this.y += LABEL + 22;
  }

  private subject(name: string): void {
    const width = this.width - 2 * EDGE;
    this.body.push(
      `<rect class="b" x="${EDGE}" y="${n(this.y + 2)}" width="${width}" height="${BOX}" rx="6"/>`,
      `<text class="o" x="${n(this.width / 2)}" y="${n(this.y + 2 + BOX / 2 + 4.5)}">${escaped(name)}</text>`,
    );
    this.y += BOX + 14;
  }

  /** When things happen, under the lanes; faint lines lead up from there. */
  private ruler(): void {
    const base = this.y + 12;
    let taken = Number.NEGATIVE_INFINITY;
    const { times } = this.scale;
    times.forEach((time, at) => {
      const x = this.scale.x(time);
      this.guides.push(`<path class="v" d="M${n(x)} ${n(this.firstLine)}V${n(this.y)}"/>`);
      const text = at === times.length - 1 ? `${time} ms` : String(time);
      const half = text.length * 3.5;
      if (x - half < taken) return;
      taken = x + half + 4;
      this.body.push(`<text class="r" x="${n(x)}" y="${n(base)}">${text}</text>`);
    });
    this.y += RULER;
  }

  private legendLine({ letter, meaning }: { readonly letter: string; readonly meaning: string }): void {
    const base = this.y + 12;
    this.body.push(
      `<circle class="c${this.colourOf(letter)}" cx="${EDGE + 7}" cy="${n(base - 4)}" r="7"/>`,
      `<text class="t c${this.colourOf(letter)}" x="${EDGE + 7}" y="${n(base - 0.8)}" font-size="9.5">${escaped(letter)}</text>`,
      `<text class="r w" x="${EDGE + 20}" y="${n(base)}">${escaped(shortened(meaning, this.width))}</text>`,
    );
    this.y += LEGEND;
  }

  private legend(): readonly { readonly letter: string; readonly meaning: string }[] {
    return Object.entries(this.drawing.letters ?? {})
      .filter(([letter]) => this.colours.has(letter.toLowerCase()))
      .map(([letter, meaning]) => ({ letter, meaning }));
  }

  /** A letter has one colour in all lanes, its capital the same. */
  private colourOf(letter: string): number {
    const key = letter.toLowerCase();
    let colour = this.colours.get(key);
    if (colour === undefined) {
      colour = this.colours.size % MARBLES.length;
      this.colours.set(key, colour);
    }
    return colour;
  }

  private style(): string {
    const light = this.shades(0);
    const dark = this.shades(1);
    return [
      '.marbles text{font:13px ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}',
      '.marbles .k{font-weight:600}.marbles .t{font-size:13px;font-weight:600;text-anchor:middle}',
      '.marbles .t.t{stroke:none}.marbles .t[font-size]{font-size:9.5px}',
      '.marbles .o{font:600 13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;text-anchor:middle}',
      '.marbles .r{font-size:12px;text-anchor:middle}.marbles .w{text-anchor:start}',
      '.marbles path{fill:none;stroke-linecap:round;stroke-linejoin:round}.marbles .l{stroke-width:1.5}.marbles .e{stroke-width:3}',
      '.marbles .x{stroke-width:3}.marbles .s{stroke-width:2}.marbles .v{stroke-dasharray:1 5}',
      '.marbles circle,.marbles rect{stroke-width:1.5}.marbles .g,.marbles .b{stroke-width:1}',
      light,
      `@media(prefers-color-scheme:dark){${dark}}`,
    ].join('');
  }

  private shades(mode: 0 | 1): string {
    const { ground, frame, ink, faint, line, box, bad } = PARTS;
    const marbles = [...new Set(this.colours.values())].map((colour) => {
      const [fill, edge, text] = MARBLES[colour]![mode];
      return `.marbles .c${colour}{fill:${fill};stroke:${edge}}.marbles .t.c${colour}{fill:${text}}`;
    });
    const signs = [...this.used].map((sign) => `.marbles .d-${sign}{fill:${LANES[sign]![mode]};stroke:none}`);
    return [
      `.marbles .g{fill:${ground[mode]};stroke:${frame[mode]}}.marbles .b{fill:${box[mode]};stroke:${frame[mode]}}`,
      `.marbles .n,.marbles .o{fill:${ink[mode]}}.marbles .r{fill:${faint[mode]}}`,
      `.marbles .l,.marbles .v{stroke:${line[mode]}}.marbles .e,.marbles .s{stroke:${ink[mode]}}.marbles .x{stroke:${bad[mode]}}`,
      ...marbles,
      ...signs,
    ].join('');
  }
}

function dot(square: boolean, x: number, y: number, sign: string): string {
  return square
    ? `<rect class="d-${sign}" x="${n(x - 4)}" y="${n(y - 4)}" width="8" height="8" rx="2"/>`
    : `<circle class="d-${sign}" cx="${n(x)}" cy="${n(y)}" r="4"/>`;
}

function grouped(marks: readonly DrawnMark[]): ReadonlyMap<number, readonly DrawnMark[]> {
  const moments = new Map<number, DrawnMark[]>();
  for (const mark of marks) moments.set(mark.frame, [...(moments.get(mark.frame) ?? []), mark]);
  return moments;
}

/** As much of a text as the picture is wide for. */
function shortened(text: string, width: number): string {
  const most = Math.floor((width - 2 * EDGE - 20) / 6.6);
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

/** A coordinate, no more exact than can be seen. */
function n(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
