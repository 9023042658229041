/** Of a colour: its ground, its edge and what is written on it. */
type Shade = readonly [ground: string, edge: string, ink: string];

/** The colours of marbles, in light and dark; letters take them in order. */
export const MARBLES: readonly (readonly [light: Shade, dark: Shade])[] = [
  [
    ['#ddf4ff', '#0969da', '#0a3069'],
    ['#0c2d6b', '#58a6ff', '#cae8ff'],
  ],
  [
    ['#fff1e5', '#bc4c00', '#5c2200'],
    ['#5a1e02', '#f0883e', '#ffdfb6'],
  ],
  [
    ['#dafbe1', '#1a7f37', '#044f1e'],
    ['#033a16', '#3fb950', '#aff5b4'],
  ],
  [
    ['#fbefff', '#8250df', '#3e1f79'],
    ['#3c1e70', '#a371f7', '#eddeff'],
  ],
  [
    ['#fff8c5', '#9a6700', '#4d2d00'],
    ['#4b2900', '#d29922', '#f8e3a1'],
  ],
  [
    ['#ffeff7', '#bf3989', '#611347'],
    ['#5e103e', '#db61a2', '#ffdaec'],
  ],
  [
    ['#d2fafd', '#0a7b83', '#08424c'],
    ['#04424a', '#39c5cf', '#b3f0ff'],
  ],
  [
    ['#eaeef2', '#57606a', '#24292f'],
    ['#2d333b', '#8b949e', '#e6edf3'],
  ],
];

/** The parts of a picture that are no marbles: light and dark. */
export const PARTS = {
  ground: ['#ffffff', '#0d1117'],
  frame: ['#d1d9e0', '#3d444d'],
  ink: ['#1f2328', '#f0f6fc'],
  faint: ['#59636e', '#9198a1'],
  line: ['#818b98', '#656c76'],
  box: ['#f6f8fa', '#151b23'],
  bad: ['#cf222e', '#f85149'],
} as const;

/** The signs before the names of lanes: doors and effects. */
export const LANES: Readonly<Record<string, readonly [light: string, dark: string]>> = {
  delivered: ['#1a7f37', '#3fb950'],
  filtered: ['#59636e', '#9198a1'],
  retried: ['#9a6700', '#d29922'],
  dead_lettered: ['#cf222e', '#f85149'],
  released: ['#0969da', '#58a6ff'],
  failed: ['#cf222e', '#f85149'],
  effect: ['#8250df', '#a371f7'],
  plain: ['#59636e', '#9198a1'],
};
