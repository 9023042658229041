import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileOf, isFileType } from '../../src/simulator/bodies/index.js';
import { jsonLines, lastLine, unbalanced } from './support/command.js';
import { type Holdings, holdingsOf, reconcile } from './support/reconcile.js';
import { Workspace } from './support/workspace.js';

const CORPUS = new URL('../golden/vectors/corpus-xact.ndjson', import.meta.url);
const HOST = 'files.example.com';

interface Letter {
  readonly position: string;
  readonly media_id?: string;
  readonly reason: string;
  readonly worker: string;
  readonly original_topic: string;
  readonly replayed_at: string | null;
}

describe('the recorded corpus', () => {
  let place: Workspace;
  let server: Server;
  let first: Holdings;
  /** Attachments that are not there at first. */
  let away = true;
  const lines = readFileSync(CORPUS, 'utf8')
    .trim()
    .split('\n')
    .map((line) => Buffer.from(line));

  const dlq = async (...args: readonly string[]): Promise<readonly Letter[]> => {
    const ended = await place.run(['dlq', ...args]);
    expect(ended.code, ended.stderr).toBe(0);
    return jsonLines(ended);
  };

  beforeAll(async () => {
    server = createServer((request, response) => {
      const { pathname } = new URL(request.url!, `https://${HOST}`);
      const extension = /\.([a-z]+)$/i.exec(pathname)?.[1]?.toLowerCase() ?? '';
      if (away && /front_/.test(pathname)) {
        response.writeHead(404).end();
        return;
      }
      const { contentType, bytes } = fileOf(isFileType(extension) ? extension : 'pdf', pathname);
      response.writeHead(200, { 'content-type': contentType, 'content-length': bytes.length }).end(bytes);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    place = await Workspace.open({
      settings: {
        http: {
          allowed_hosts: [HOST],
          resolve: { [HOST]: `127.0.0.1:${(server.address() as AddressInfo).port}` },
          min_bytes_per_second: 0,
        },
      },
    });
    const counts = await place.ingest(lines);
    expect(counts).toEqual({ read: 300, ingested: 300, dead_lettered: 0 });
    expect(unbalanced(await place.untilIdle())).toEqual([]);
    first = await holdingsOf(place.data);
  }, 120_000);

  afterAll(async () => {
    await place.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('A21: is ingested from a file name too, and nothing of it is lost or doubled', async () => {
    expect(reconcile(first, { lines })).toEqual([]);
    const data = join(place.folder, 'by-name');
    const file = join(place.folder, 'corpus.ndjson');
    await place.write('../corpus.ndjson', lines.join('\n')); // without a line end at the end
    const ended = await place.run(['ingest', file, '--domain', 'xact'], { data });
    expect(ended.code, ended.stderr).toBe(0);
    expect(lastLine(ended)).toEqual({ read: 300, ingested: 300, dead_lettered: 0 });
    const report = await place.untilIdle(['--worker', 'xact-delta-events'], data);
    const traces = new Set(lines.map((line) => (JSON.parse(line.toString()) as { traceId: string }).traceId));
    expect(report.tables['xact_events']).toBe(traces.size);
    expect(report.workers['xact-delta-events']!.entered).toBe(300);
    expect((await holdingsOf(data)).tables['xact_events']).toEqual(first.tables['xact_events']);
  }, 60_000);

  it('dead letters are listed, shown, and resolved when they are sent again', async () => {
    const missing = (await dlq('ls', '--reason', 'permanent', '--worker', 'xact-download')).filter(
      ({ replayed_at }) => replayed_at === null,
    );
    const gone = missing.filter(({ media_id }) =>
      first.tables['xact_attachments_failed']!.some((row) => row['media_id'] === media_id && Number(row['http_status']) === 404),
    );
    expect(gone.length).toBeGreaterThan(10);
    expect(gone.every(({ original_topic }) => original_topic === 'xact.downloads.pending')).toBe(true);
    const [shown] = await dlq('show', gone[0]!.position);
    expect(shown).toMatchObject({
      position: gone[0]!.position,
      media_id: gone[0]!.media_id,
      original_task: { media_id: gone[0]!.media_id },
    });

    const positions = gone.map(({ position }) => position);
    const dry = jsonLines<{ result: string }>(await place.run(['dlq', 'replay', ...positions]));
    expect(new Set(dry.map(({ result }) => result))).toEqual(new Set(['would_replay']));
    expect((await place.untilIdle()).workers['xact-download']!.entered).toBe(0);

    away = false;
    const sent = jsonLines<{ result: string }>(await place.run(['dlq', 'replay', ...positions, '--yes']));
    expect(sent.map(({ result }) => result)).toEqual(positions.map(() => 'replayed'));
    const report = await place.untilIdle();
    expect(report.workers['xact-download']!.left.delivered).toBe(gone.length);
    expect(unbalanced(report)).toEqual([]);
    const after = await holdingsOf(place.data);
    const stored = new Set(after.tables['xact_attachments']!.map((row) => row['media_id']));
    expect(gone.every(({ media_id }) => stored.has(media_id!))).toBe(true);
    expect(after.files.size).toBe(first.files.size + gone.length);
    expect(after.tables['xact_events']).toEqual(first.tables['xact_events']);

    const again = jsonLines<{ result: string }>(await place.run(['dlq', 'replay', ...positions, '--yes']));
    expect(new Set(again.map(({ result }) => result))).toEqual(new Set(['already_replayed']));
    expect((await place.untilIdle()).workers['xact-download']!.entered).toBe(0);
  }, 60_000);
});
