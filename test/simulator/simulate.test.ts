import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { attachmentsOf, fieldsOf, readEvent } from '../../src/domains/xact/event.js';
import { inspectPresigned } from '../../src/http/presigned.js';
import { validateUrl } from '../../src/http/url-policy.js';
import { type EventFault, NO_EVENT_FAULTS, simulate, SIMULATOR_HOSTS } from '../../src/simulator/index.js';

afterEach(() => void vi.useRealTimers());

const digest = (lines: Iterable<Buffer>) => {
  const hash = createHash('sha256');
  for (const line of lines) hash.update(line).update('\n');
  return hash.digest('hex');
};
const attachments = (line: Buffer) => attachmentsOf(fieldsOf(readEvent(line).data)['attachments']) ?? [];
const allowed = (url: string) => validateUrl(url, { allowedHosts: SIMULATOR_HOSTS }).accepted;
const onlyFault = (fault: EventFault, events = 300) => [...simulate({ seed: 5, events, faults: { ...NO_EVENT_FAULTS, [fault]: 1 } })];

/** Whether the pipeline's own reader takes the line. */
const readable = (line: Buffer) => {
  try {
    readEvent(line);
    return true;
  } catch {
    return false;
  }
};

describe('simulate', () => {
  it('the same seed gives the same lines, whatever the day', () => {
    const first = digest(simulate({ seed: 7, events: 1000 }));
    vi.useFakeTimers({ now: Date.UTC(2050, 0, 1) });
    expect(digest(simulate({ seed: 7, events: 1000 }))).toBe(first);
    expect(digest(simulate({ seed: 8, events: 1000 }))).not.toBe(first);
  });

  it('gives these lines, on every machine', () => {
    expect(digest(simulate({ seed: 7, events: 500 }))).toMatchInlineSnapshot(
      `"9d40129b9a29cacb7e961f0adad47e602be24daf03345fbfd4dfc94b226ede20"`,
    );
  });

  it('a shorter run is the beginning of a longer one', () => {
    const longer = [...simulate({ seed: 3, events: 200 })].slice(0, 50);
    expect(digest(simulate({ seed: 3, events: 50 }))).toBe(digest(longer));
  });

  it('makes a line only when it is asked for one', () => {
    const endless = simulate({ seed: 1 });
    expect(readable(endless.next().value as Buffer)).toBe(true);
    expect(endless.next().done).toBe(false);
  });

  it('no line has a line end in it', () => {
    for (const line of simulate({ seed: 11, events: 3000 })) expect(line.includes(0x0a)).toBe(false);
  });

  it('without faults every line is an event of its own whose links pass', () => {
    const ids = new Set<string>();
    const links = new Set<string>();
    let count = 0;
    for (const line of simulate({ seed: 2, events: 2000, faults: NO_EVENT_FAULTS })) {
      ids.add(readEvent(line).traceId);
      for (const url of attachments(line)) {
        count += 1;
        links.add(url);
        expect(allowed(url)).toBe(true);
        expect(inspectPresigned(url, Date.UTC(2030, 0, 1))).toMatchObject({ url_type: 's3', is_expired: false, parse_error: false });
      }
    }
    expect(ids.size).toBe(2000);
    expect(links.size).toBe(count);
    expect(count).toBeGreaterThan(2000);
  });

  it('mixes subtypes and file types', () => {
    const lines = [...simulate({ seed: 2, events: 2000, faults: NO_EVENT_FAULTS })];
    expect(new Set(lines.map((line) => readEvent(line).type)).size).toBe(7);
    const types = lines.flatMap(attachments).map((url) => /\.(\w+)$/.exec(new URL(url).pathname)?.[1]?.toLowerCase());
    expect(new Set(types)).toEqual(new Set(['pdf', 'jpg', 'png', 'esx', 'csv', 'docx']));
    expect(new Set(lines.map((line) => attachments(line).length))).toEqual(new Set([0, 1, 2, 3]));
    expect(lines.some((line) => line.includes('"data":"{'))).toBe(true);
  });

  it('gives every event as many attachments as it is told', () => {
    for (const line of simulate({ events: 200, faults: NO_EVENT_FAULTS, attachments: 1 })) expect(attachments(line)).toHaveLength(1);
  });
});

describe('faults of events', () => {
  it('malformed: no line is an event', () => {
    expect(onlyFault('malformed').filter(readable)).toEqual([]);
  });

  it('invalid_utf8: no line is text', () => {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    for (const line of onlyFault('invalid_utf8')) expect(() => decoder.decode(line)).toThrow();
  });

  it('duplicate: all lines but the first came before', () => {
    expect(new Set(onlyFault('duplicate').map(String)).size).toBe(1);
    const lines = [...simulate({ seed: 1, events: 2000, faults: { ...NO_EVENT_FAULTS, duplicate: 0.1 } })].map(String);
    const repeated = lines.length - new Set(lines).size;
    expect(repeated).toBeGreaterThan(150);
    expect(repeated).toBeLessThan(250);
  });

  it.each(['wrong_type', 'missing_field'] as const)('%s: some lines are refused, all are JSON', (fault) => {
    const lines = onlyFault(fault);
    for (const line of lines) expect(() => JSON.parse(line.toString()) as unknown).not.toThrow();
    const refused = lines.filter((line) => !readable(line)).length;
    expect(refused).toBeGreaterThan(50);
    expect(refused).toBeLessThan(300);
  });

  it('unknown_subtype: lines are events', () => {
    const types = new Set(onlyFault('unknown_subtype').map((line) => readEvent(line).type));
    expect(types).toContain('undotted');
  });

  it('refused_host: one link of each event is refused', () => {
    for (const line of onlyFault('refused_host')) expect(attachments(line).filter((url) => !allowed(url))).toHaveLength(1);
  });

  it('expired_link: one link of each event has expired', () => {
    const expired = (url: string) => inspectPresigned(url, Date.UTC(2026, 5, 1)).is_expired;
    for (const line of onlyFault('expired_link')) expect(attachments(line).filter(expired)).toHaveLength(1);
  });

  it('same_name: two links of one event end in one name and are two files', () => {
    for (const line of onlyFault('same_name')) {
      const links = attachments(line).slice(-2);
      expect(new Set(links).size).toBe(2);
      expect(new Set(links.map((url) => new URL(url).pathname.split('/').at(-1))).size).toBe(1);
    }
  });

  it('hostile_name: lines are events, and names and ids try what they can', () => {
    const all = onlyFault('hostile_name').map((line) => JSON.stringify(readEvent(line)));
    for (const trick of ['../../', '..\\\\', '\\u0000', 'x'.repeat(4096), '..%2F..%2F', '"assignmentId":"../']) {
      expect(all.some((text) => text.includes(trick))).toBe(true);
    }
  });

  it('only an expired link has expired', () => {
    const faults = { ...NO_EVENT_FAULTS, hostile_name: 0.4, refused_host: 0.3, same_name: 0.3 };
    const links = [...simulate({ seed: 5, events: 300, faults })].flatMap(attachments);
    expect(links.filter((url) => inspectPresigned(url, Date.UTC(2030, 0, 1)).is_expired)).toEqual([]);
  });

  it('the usual shares give each of them now and then', () => {
    const usual = [...simulate({ seed: 9, events: 5000 })];
    const bad = usual.filter((line) => !readable(line)).length;
    expect(bad).toBeGreaterThan(60);
    expect(bad).toBeLessThan(250);
    expect(usual.length - new Set(usual.map((line) => line.toString('latin1'))).size).toBeGreaterThan(100);
  });
});
