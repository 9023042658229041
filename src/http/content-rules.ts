/** What a file of an extension may be. */
interface FileKind {
  /** Its own content types. */
  readonly types: readonly string[];
  /** It is served under one of its own types, or as plain bytes, and nothing else; others pass under any type that some file has here. */
  readonly strict: boolean;
  /** How its bytes begin. */
  readonly fits: (head: Uint8Array) => boolean;
}

const text = (...codes: readonly (string | number)[]): readonly number[] =>
  codes.flatMap((code) => (typeof code === 'number' ? [code] : [...Buffer.from(code, 'latin1')]));

const startsWith = (head: Uint8Array, bytes: readonly number[], at = 0): boolean => bytes.every((byte, index) => head[at + index] === byte);

const beginsWith =
  (...signatures: readonly (readonly number[])[]) =>
  (head: Uint8Array): boolean =>
    signatures.some((signature) => startsWith(head, signature));

const ZIP = [text('PK', 3, 4), text('PK', 5, 6)];
const OLE = [text(0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1)];
const PROGRAMS = [text('MZ'), text(0x7f, 'ELF'), text(0xfe, 0xed, 0xfa), text(0xcf, 0xfa, 0xed, 0xfe), text('#!')];
const UTF16 = [text(0xff, 0xfe), text(0xfe, 0xff)];

const isZip = beginsWith(...ZIP);
const isOffice = beginsWith(...ZIP, ...OLE);
const isJpeg = beginsWith(text(0xff, 0xd8, 0xff));
const isTiff = beginsWith(text('II*', 0), text('MM', 0, '*'), text('II+', 0), text('MM', 0, '+'));
const isMedia = (head: Uint8Array): boolean =>
  ['ftyp', 'moov', 'mdat', 'wide', 'free', 'skip', 'pnot'].some((box) => startsWith(head, text(box), 4));

/** No program and no NUL, unless it says that it is UTF-16. */
function isText(head: Uint8Array): boolean {
  if (PROGRAMS.some((signature) => startsWith(head, signature))) return false;
  return UTF16.some((mark) => startsWith(head, mark)) || !head.includes(0);
}

/** The first sign that is no blank opens a tag. */
function isMarkup(head: Uint8Array): boolean {
  return isText(head) && /^\s*</.test(new TextDecoder(startsWith(head, UTF16[0]!) ? 'utf-16le' : 'utf-8').decode(head));
}

const strict = (types: readonly string[], fits: FileKind['fits']): FileKind => ({ types, strict: true, fits });
const loose = (types: readonly string[], fits: FileKind['fits']): FileKind => ({ types, strict: false, fits });

const KINDS: Readonly<Record<string, FileKind>> = {
  pdf: strict(['application/pdf'], (head) => Buffer.from(head.subarray(0, 1024)).includes('%PDF-')),
  xml: strict(['application/xml', 'text/xml'], isMarkup),
  txt: strict(['text/plain'], isText),
  jpg: strict(['image/jpeg'], isJpeg),
  jpeg: strict(['image/jpeg'], isJpeg),
  png: strict(['image/png'], beginsWith(text(0x89, 'PNG\r\n', 0x1a, '\n'))),
  gif: strict(['image/gif'], beginsWith(text('GIF87a'), text('GIF89a'))),
  bmp: strict(['image/bmp'], beginsWith(text('BM'))),
  tif: strict(['image/tiff'], isTiff),
  tiff: strict(['image/tiff'], isTiff),
  webp: strict(['image/webp'], (head) => startsWith(head, text('RIFF')) && startsWith(head, text('WEBP'), 8)),
  mov: strict(['video/quicktime'], isMedia),
  mp4: strict(['video/mp4'], isMedia),
  csv: loose(['text/csv', 'application/csv', 'application/vnd.ms-excel'], isText),
  json: loose(['application/json', 'text/json'], isText),
  html: loose(['text/html', 'application/xhtml+xml'], isText),
  htm: loose(['text/html', 'application/xhtml+xml'], isText),
  xls: loose(['application/vnd.ms-excel'], isOffice),
  xlsx: loose(['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'], isOffice),
  doc: loose(['application/msword'], isOffice),
  docx: loose(['application/vnd.openxmlformats-officedocument.wordprocessingml.document'], isOffice),
  esx: loose(['application/zip', 'application/x-zip-compressed', 'application/vnd.xactware.esx'], isZip),
};

/** The extensions that are taken in. */
export const ALLOWED_EXTENSIONS: readonly string[] = Object.keys(KINDS);

/** What servers call bytes that they do not know; the extension and the bytes themselves then decide. */
const PLAIN_BYTES: ReadonlySet<string> = new Set(['application/octet-stream', 'binary/octet-stream']);

/** The types of the strict kinds: what a file of a loose kind may be called too. */
const COMMON: ReadonlySet<string> = new Set(Object.values(KINDS).flatMap((kind) => (kind.strict ? kind.types : [])));

const NAME_PARAMETERS = ['filename', 'file', 'name'];

/**
 * The extension that a name or a URL promises, in small letters: behind the last dot of its path, else of the first of the query's `filename`,
 * `file` and `name` that has one. Undefined when there is none.
 */
export function extensionOf(nameOrUrl: string): string | undefined {
  const [, path = '', query = ''] = /^(?:[a-z][a-z0-9+.-]*:)?(?:\/\/[^/?#]*)?([^?#]*)(?:\?([^#]*))?/i.exec(nameOrUrl) ?? [];
  const ofPath = behindLastDot(path);
  if (ofPath !== undefined) return ofPath;
  const parameters = new URLSearchParams(query);
  for (const name of NAME_PARAMETERS) {
    const extension = behindLastDot(parameters.get(name) ?? '');
    if (extension !== undefined) return extension;
  }
  return undefined;
}

function behindLastDot(name: string): string | undefined {
  const dot = name.lastIndexOf('.');
  return dot === -1 || dot === name.length - 1 ? undefined : name.slice(dot + 1).toLowerCase();
}

export type FileRefusal =
  | 'empty'
  | 'no_extension'
  | 'extension_not_allowed'
  | 'content_type_invalid'
  | 'content_type_not_allowed'
  | 'mismatch';

export interface FileVerdict {
  readonly accepted: boolean;
  readonly extension: string | undefined;
  readonly reason: FileRefusal | undefined;
}

/** Whether a file may be taken in, by its name or URL and by the content type that a server gives it; undefined when it gives none. */
export function judgeFile(nameOrUrl: string, contentType: string | undefined): FileVerdict {
  if (nameOrUrl === '') return { accepted: false, extension: undefined, reason: 'empty' };
  const extension = extensionOf(nameOrUrl);
  const reason = extensionRefusal(extension ?? '') ?? contentTypeRefusal(extension ?? '', contentType);
  return { accepted: reason === undefined, extension, reason };
}

function extensionRefusal(extension: string): FileRefusal | undefined {
  if (extension === '') return 'no_extension';
  return Object.hasOwn(KINDS, extension) ? undefined : 'extension_not_allowed';
}

function contentTypeRefusal(extension: string, contentType: string | undefined): FileRefusal | undefined {
  if (contentType === undefined || contentType === '') return undefined;
  const type = contentType.split(';', 1)[0]!.trim().toLowerCase();
  if (type === '') return 'content_type_invalid';
  const kind = KINDS[extension];
  if (PLAIN_BYTES.has(type) || kind?.types.includes(type) === true) return undefined;
  if (!COMMON.has(type)) return 'content_type_not_allowed';
  return kind?.strict === true ? 'mismatch' : undefined;
}

/** What is wrong with an extension (small letters, without the dot); undefined when it is taken in. */
export function extensionProblem(extension: string): string | undefined {
  const refusal = extensionRefusal(extension);
  if (refusal === undefined) return undefined;
  return refusal === 'no_extension' ? 'the file has no extension' : `files of type ${quoted(extension)} are not taken in`;
}

/** What is wrong with a server's content type for a file of this extension; undefined when it fits or is missing. */
export function contentTypeProblem(extension: string, contentType: string | undefined): string | undefined {
  const refusal = contentTypeRefusal(extension, contentType);
  if (refusal === undefined) return undefined;
  const found = quoted(contentType ?? '');
  return refusal === 'mismatch' ? `a file of type ${quoted(extension)} cannot be ${found}` : `the content type ${found} is not taken in`;
}

/** What is wrong with the first bytes of a file of this extension (4 KiB are enough); undefined when they fit. */
export function magicProblem(extension: string, head: Uint8Array): string | undefined {
  const kind = Object.hasOwn(KINDS, extension) ? KINDS[extension] : undefined;
  return kind === undefined || kind.fits(head) ? undefined : `the content is not that of a file of type ${quoted(extension)}`;
}

function quoted(found: string): string {
  return JSON.stringify(found.slice(0, 64));
}
