import { describe, expect, it } from 'vitest';
import { loadPipeline, type PipelineConfig } from '../../src/config/index.js';
import { logName, prepareTopics } from '../../src/cli/open-log.js';
import { onLogOf } from '../../src/cli/settings.js';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporary } from './temporary.js';

const folder = temporary();

async function configured(kafka: string): Promise<PipelineConfig> {
  const configPath = join(folder, 'pipeline.yaml');
  writeFileSync(configPath, `kafka: ${kafka}\n`);
  const { config, diagnostics } = await loadPipeline({ configPath, env: {}, catalogue: {}, cwd: folder });
  if (config === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'));
  return config;
}

describe('the log of a command', () => {
  const env = { KAFKA_BROKERS: 'of-env:9092, other:9092' };

  it('is on the brokers of the command line, else of the file, else of KAFKA_BROKERS', async () => {
    const [silent, named] = [await configured('{}'), await configured('{ brokers: of-file:9092 }')];
    expect(onLogOf({ env, brokers: ['of-line:9092'] }, named).brokers).toEqual(['of-line:9092']);
    expect(onLogOf({ env }, named).brokers).toEqual(['of-file:9092']);
    expect(onLogOf({ env }, silent).brokers).toEqual(['of-env:9092', 'other:9092']);
    expect(onLogOf({ env, transport: 'kafka' }, silent).brokers).toEqual(['of-env:9092', 'other:9092']);
  });

  it('is the embedded one where nothing names brokers, or where it is asked for', async () => {
    const silent = await configured('{}');
    expect(onLogOf({ env: {} }, silent).brokers).toEqual([]);
    expect(onLogOf({ env: { KAFKA_BROKERS: ' ' } }, silent).brokers).toEqual([]);
    expect(onLogOf({ env, transport: 'embedded' }, silent).brokers).toEqual([]);
    expect(() => onLogOf({ env: {}, transport: 'kafka' }, silent)).toThrow('no broker is named');
  });

  it('is told by its brokers, or by its directory', () => {
    expect(logName({ brokers: ['a:1', 'b:2'] }, { root: '/data' })).toBe('Kafka at a:1, b:2');
    expect(logName({ brokers: [] }, { root: '/data' })).toBe('embedded, in /data');
  });
});

describe('a session of a worker', () => {
  it('is longer than the pause between two heartbeats', async () => {
    await expect(configured('{ session_timeout: 1s }')).rejects.toThrow('must be at least 2s');
    expect((await configured('{ session_timeout: 2s }')).kafka.sessionTimeoutMs).toBe(2000);
  });
});

describe('the topics that a command needs', () => {
  const SPECS = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => ({ name, partitions: 1 }));

  function broker(...names: readonly string[]) {
    const made: string[] = [];
    return {
      made,
      topics: async () => names.map((name) => ({ name, partitions: 1, offsets: [] })),
      ensureTopics: async (specs: readonly { readonly name: string }[]) => void made.push(...specs.map(({ name }) => name)),
    };
  }

  it('are made', async () => {
    const log = broker();
    await prepareTopics(log, await configured('{ brokers: a:1 }'), SPECS);
    expect(log.made).toHaveLength(SPECS.length);
  });

  it('are not made where create_topics is false: those that are missing are named', async () => {
    const config = await configured('{ brokers: a:1, create_topics: false }');
    const log = broker('a');
    await expect(prepareTopics(log, config, SPECS)).rejects.toMatchObject({
      code: 'PS3008',
      message: expect.stringContaining('there is no topic b, c, d, e, f and 1 more'),
    });
    await prepareTopics(broker(...SPECS.map(({ name }) => name)), config, SPECS);
    expect(log.made).toEqual([]);
  });
});
