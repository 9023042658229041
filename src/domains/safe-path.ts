import { createHash } from 'node:crypto';

/** The most bytes of one segment of a path; file systems end at 255, a suffix of ours must still fit. */
const SEGMENT_BYTES = 230;

// Separators, what Windows reads as a stream or a drive, C0 and C1 controls, marks that turn the direction of text, lone surrogates.
const UNSAFE = /[/\\:\p{Cc}\p{Cs}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/**
 * One segment of a path out of a name that somebody else chose. A harmless name stays as it is. In any other the characters that could mislead are
 * written as `%XX` and what is too long is cut, and since two names could then be one, a mark of eight digits tells them apart: `~` and the start
 * of the name's SHA-256, before the extension.
 */
export function safeSegment(name: string): string {
  const encoded = name.replace(UNSAFE, (character) => percent(character));
  const plain = encoded === '' || /^\.+$/.test(encoded) ? encoded.replaceAll('.', '%2E') : encoded;
  if (plain === name && name !== '' && Buffer.byteLength(name) <= SEGMENT_BYTES) return name;
  const mark = `~${createHash('sha256').update(name, 'utf16le').digest('hex').slice(0, 8)}`;
  const { base, extension } = splitName(plain);
  const kept = Buffer.byteLength(extension) > 32 ? '' : extension;
  return `${cut(kept === '' ? plain : base, SEGMENT_BYTES - mark.length - Buffer.byteLength(kept))}${mark}${kept}`;
}

/** A name in two at its last dot; the extension keeps the dot and is empty when there is none. */
export function splitName(name: string): { readonly base: string; readonly extension: string } {
  const dot = name.lastIndexOf('.');
  return dot === -1 ? { base: name, extension: '' } : { base: name.slice(0, dot), extension: name.slice(dot) };
}

function percent(character: string): string {
  return [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

/** As many whole characters as fit. */
function cut(text: string, bytes: number): string {
  let kept = '';
  let used = 0;
  for (const character of text) {
    used += Buffer.byteLength(character);
    if (used > bytes) break;
    kept += character;
  }
  return kept;
}
