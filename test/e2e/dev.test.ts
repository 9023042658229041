import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lastLine, run, unbalanced } from './support/command.js';

describe('penstock dev', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'penstock-dev-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('fetches the simulated files for a pipeline that knows nothing of the simulator, and its plugins see completed results', async () => {
    await writeFile(
      join(folder, 'mine.yaml'),
      `kafka:
  xact:
    retry_delays: [20ms]
    plugins:
      plugins:
        - name: completed
          type: generic_alerter
          config: { topic: mine.completed, statuses: [completed] }
tables: { flush: 100ms }
`,
    );
    const ended = await run(['dev', '--events', '20', '--seed', '3', '--no-api', '--json', '-c', 'mine.yaml', '--data', 'data'], {
      cwd: folder,
    });
    expect(ended.code, ended.stderr).toBe(0);
    const report = lastLine(ended);
    expect(unbalanced(report)).toEqual([]);
    expect(report.files).toBeGreaterThan(0);
    expect(report.actions['publish_to_topic']).toBe(report.tables['xact_attachments']);
  }, 30_000);
});
