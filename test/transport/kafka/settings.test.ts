import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kafkaOptions } from '../../../src/cli/open-log.js';
import { loadPipeline } from '../../../src/config/index.js';
import { clientConfig } from '../../../src/transport/kafka/client.js';
import { settingsOf } from '../../../src/transport/kafka/settings.js';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penstock-settings-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function settings(yaml: string, env: Readonly<Record<string, string>> = {}) {
  const configPath = join(folder, 'pipeline.yaml');
  await writeFile(configPath, yaml);
  const { config, diagnostics } = await loadPipeline({ configPath, env, catalogue: {}, cwd: folder });
  return { settings: settingsOf(await kafkaOptions(config!)), messages: diagnostics.map(({ message }) => message) };
}

describe('what the configuration says of Kafka', () => {
  it('G3: has the defaults of a plain cluster', async () => {
    const found = (await settings('kafka: { brokers: "a:9092, b:9092" }')).settings;
    expect(found).toMatchObject({ brokers: ['a:9092', 'b:9092'], clientId: 'penstock', tls: false, sasl: undefined, compression: 'none' });
    expect(found).toMatchObject({ sessionTimeoutMs: 10_000, deliveryTimeoutMs: 120_000, createTopics: true, replication: undefined });
    expect(clientConfig(found)).not.toHaveProperty('ssl');
  });

  it('G1, G3: Azure Event Hubs: TLS, a connection string as password, longer sessions, requests within its bounds', async () => {
    const yaml = `
kafka:
  brokers: my-namespace.servicebus.windows.net:9093
  profile: event_hubs
  sasl: { mechanism: plain, username: $ConnectionString, password: "\${EVENT_HUBS_CONNECTION}" }
`;
    const secret = 'Endpoint=sb://my-namespace.servicebus.windows.net/;SharedAccessKeyName=k;SharedAccessKey=s=';
    const { settings: found, messages } = await settings(yaml, { EVENT_HUBS_CONNECTION: secret });
    expect(messages).toEqual([]);
    expect(found.sessionTimeoutMs).toBeGreaterThanOrEqual(30_000);
    expect(found.heartbeatMs).toBeLessThanOrEqual(found.sessionTimeoutMs / 3);
    expect(found.requestTimeoutMs).toBeGreaterThanOrEqual(60_000);
    expect(found.metadataMaxAgeMs).toBeLessThan(240_000);
    expect(found.batchBytes).toBeLessThan(1_046_528);
    expect(clientConfig(found)).toMatchObject({
      ssl: true,
      sasl: { mechanism: 'plain', username: '$ConnectionString', password: secret },
    });
  });

  it('reads certificates from the files it names, and takes what is said over what a profile does', async () => {
    await writeFile(join(folder, 'ca.pem'), 'CA');
    await writeFile(join(folder, 'cert.pem'), 'CERT');
    await writeFile(join(folder, 'key.pem'), 'KEY');
    const yaml = `
kafka:
  brokers: a:9093
  client_id: claims
  tls: { ca: ca.pem, cert: cert.pem, key: key.pem, servername: kafka.internal }
  sasl: { mechanism: scram-sha-512, username: u, password: p }
  compression: gzip
  replication: 3
  create_topics: false
  session_timeout: 20s
  delivery_timeout: 30s
`;
    const found = (await settings(yaml)).settings;
    expect(clientConfig(found)).toMatchObject({
      clientId: 'claims',
      ssl: { ca: ['CA'], cert: 'CERT', key: 'KEY', servername: 'kafka.internal' },
      sasl: { mechanism: 'scram-sha-512', username: 'u', password: 'p' },
    });
    expect(found).toMatchObject({
      compression: 'gzip',
      replication: 3,
      createTopics: false,
      sessionTimeoutMs: 20_000,
      deliveryTimeoutMs: 30_000,
    });
  });

  it('a mechanism without what it needs, and a file that is not there, are named', async () => {
    expect((await settings('kafka: { brokers: a:1, sasl: { mechanism: none } }')).messages).toEqual([]);
    const configPath = join(folder, 'bad.yaml');
    await writeFile(configPath, 'kafka: { brokers: a:1, sasl: { mechanism: plain, username: u } }');
    const { diagnostics } = await loadPipeline({ configPath, env: {}, catalogue: {}, cwd: folder });
    expect(diagnostics.map(({ code, message }) => `${code} ${message}`)).toEqual(['PS1101 mechanism plain needs the key "password"']);
    await expect(settings('kafka: { brokers: a:1, tls: { ca: none.pem } }')).rejects.toMatchObject({ code: 'PS1002' });
  });
});
