import type { Random } from '../random.js';
import { NOTES, ROOMS } from '../vocabulary.js';
import { BLANK_STAMP, type Body } from './body.js';
import { zip } from './zip.js';

/** Makes a PDF 1.4 of some pages of text with a true cross-reference table; the stamp is a comment on its second line. */
export function pdf(random: Random): Body {
  const pages = random.int(1, 6);
  const objects: string[] = ['<< /Type /Catalog /Pages 2 0 R >>'];
  const kids = Array.from({ length: pages }, (_, page) => `${4 + page * 2} 0 R`).join(' ');
  objects.push(`<< /Type /Pages /Kids [${kids}] /Count ${pages} >>`, '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>');
  for (let page = 0; page < pages; page += 1) {
    const lines = Array.from(
      { length: random.int(12, 45) },
      () => `(${random.pick(ROOMS)}: ${random.pick(NOTES)}, ${random.int(1, 900)}) Tj T*`,
    );
    const content = `BT /F1 10 Tf 14 TL 50 780 Td\n${lines.join('\n')}\nET`;
    objects.push(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents ${5 + page * 2} 0 R /Resources << /Font << /F1 3 0 R >> >> >>`,
      `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    );
  }
  let text = `%PDF-1.4\n% ${BLANK_STAMP}\n`;
  const offsets = objects.map((object, index) => {
    const offset = text.length;
    text += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  const trailer = `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${text.length}\n%%EOF\n`;
  text += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${table}${trailer}`;
  return { contentType: 'application/pdf', bytes: Buffer.from(text, 'latin1'), stampAt: '%PDF-1.4\n% '.length };
}

/** Makes a CSV of line items; the stamp is a cell of its first record. */
export function csv(random: Random): Body {
  const head = 'item,room,note,quantity,price\r\n';
  const records = Array.from(
    { length: random.int(20, 400) },
    (_, index) => `${index + 1},${random.pick(ROOMS)},"${random.pick(NOTES)}",${random.int(1, 40)},${random.int(100, 99_999) / 100}\r\n`,
  );
  return { contentType: 'text/csv', bytes: Buffer.from(`${head}${BLANK_STAMP},,,,\r\n${records.join('')}`), stampAt: head.length };
}

/** Makes an estimate exchange file: a ZIP archive with an XML estimate and a sketch. */
export function esx(random: Random): Body {
  const items = Array.from(
    { length: random.int(30, 300) },
    (_, index) => `  <item line="${index + 1}" room="${random.pick(ROOMS)}" quantity="${random.int(1, 40)}">${random.pick(NOTES)}</item>`,
  );
  const estimate = `<?xml version="1.0" encoding="UTF-8"?>\n<estimate version="${random.int(1, 9)}">\n${items.join('\n')}\n</estimate>\n`;
  const sketch = Buffer.from(random.text(random.int(500, 5000), '0123456789ABCDEF'));
  return zip('application/octet-stream', [
    { name: 'XACTDOC.XML', bytes: Buffer.from(estimate) },
    { name: 'SKETCH.SKX', bytes: sketch },
  ]);
}

const CONTENT_TYPES = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`;

const RELATIONSHIPS = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`;

/** Makes a word-processor document with the least that one must have. */
export function docx(random: Random): Body {
  const paragraphs = Array.from(
    { length: random.int(5, 80) },
    () => `<w:p><w:r><w:t>${random.pick(ROOMS)}: ${random.pick(NOTES)}, ${random.int(1, 900)}</w:t></w:r></w:p>`,
  );
  const document = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>${paragraphs.join('')}</w:body></w:document>`;
  return zip('application/vnd.openxmlformats-officedocument.wordprocessingml.document', [
    { name: '[Content_Types].xml', bytes: Buffer.from(CONTENT_TYPES) },
    { name: '_rels/.rels', bytes: Buffer.from(RELATIONSHIPS) },
    { name: 'word/document.xml', bytes: Buffer.from(document) },
  ]);
}
