import { execFile } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, logLevel, ResourcePatternTypes } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Broker } from '../broker/broker.js';
import { type Block, blocksOf, fileNameOf, pages, root } from '../docs/blocks.js';
import { builtCommand } from '../e2e/support/built.js';

const run = promisify(execFile);
const USERS = { admin: 'admin-secret', penstock: 'penstock-secret', stranger: 'stranger-secret' };
const work = mkdtempSync(join(tmpdir(), 'penstock-operations-'));
const bin = join(work, 'bin');
let broker: Broker | undefined;

beforeAll(() => {
  mkdirSync(bin);
  writeFileSync(join(bin, 'penstock'), `#!/bin/sh\nexec "${process.execPath}" "${builtCommand()}" "$@"\n`);
  chmodSync(join(bin, 'penstock'), 0o755);
});

afterEach(async () => {
  await broker?.stop();
  broker = undefined;
});

afterAll(() => rmSync(work, { recursive: true, force: true }));

const operations = pages().filter((page) => page.startsWith('docs/operations/'));
const noted = (note: string) => operations.map((page) => [page, blocksOf(page).filter((block) => block.note === note)] as const);

const folderOf = (page: string): string => join(work, page.replaceAll(/\W/g, '-'));

/** The blocks of a page one after another, as a reader would type them, with the files that the page shows. Whatever fails ends it. */
async function type(page: string, blocks: readonly Block[], addresses: Readonly<Record<string, string>>): Promise<string> {
  const folder = folderOf(page);
  mkdirSync(folder, { recursive: true });
  for (const block of blocksOf(page)) {
    const name = block.language === 'yaml' ? fileNameOf(block) : undefined;
    if (name !== undefined) writeFileSync(join(folder, name), block.text);
  }
  // The pipeline that ships, on a port that nobody else on this machine has.
  cpSync(join(root, 'config'), join(folder, 'config'), { recursive: true });
  const pipeline = join(folder, 'config', 'pipeline.yaml');
  const port = String(await freePort());
  writeFileSync(pipeline, readFileSync(pipeline, 'utf8').replace('port: 4170', `port: ${port}`));
  if (broker!.certificates !== undefined) writeFileSync(join(folder, 'authority.pem'), broker!.certificates.authority);
  let script = blocks.map(({ text }) => text).join('');
  for (const [written, here] of Object.entries({ ...addresses, '127.0.0.1:4170': `127.0.0.1:${port}` }))
    script = script.replaceAll(written, here);
  const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}`, NO_COLOR: '1' };
  const { stdout } = await run('bash', ['-x', '-euo', 'pipefail', '-c', script], {
    cwd: folder,
    env,
    maxBuffer: 64 * 1024 * 1024,
    timeout: 200_000,
  });
  return stdout;
}

describe('the pages on operations', () => {
  it('have commands', () => {
    expect(operations.length).toBe(4);
    expect(noted('kafka').flatMap(([, blocks]) => blocks).length).toBeGreaterThan(4);
    const known = ['', 'kafka', 'kafka-tls', 'containers'];
    for (const block of operations.flatMap(blocksOf)) expect(known, `${block.page}:${block.line}`).toContain(block.note);
  });

  it.each(noted('kafka').filter(([, blocks]) => blocks.length > 0))('every command of %s runs on a broker', async (page, blocks) => {
    broker = await Broker.start({ set: { 'auto.create.topics.enable': 'false' } });
    await type(page, blocks, { 'localhost:9092': broker.brokers[0]! });
  });

  it('every command of the page on security runs with TLS, a password, and no more rights than it names', async () => {
    broker = await Broker.start({ users: USERS, set: { 'auto.create.topics.enable': 'false' } });
    const page = 'docs/operations/security.md';
    const admin = new Kafka({ brokers: [...broker.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    const rights = rightsIn(readFileSync(join(root, page), 'utf8'));
    expect(rights.length).toBeGreaterThan(10);
    // Somebody has rights to everything, so that nobody else has any unless it is said.
    const all = [AclResourceTypes.TOPIC, AclResourceTypes.GROUP].map((resourceType) => ({
      ...rights[0]!,
      resourceType,
      resourceName: '*',
      resourcePatternType: ResourcePatternTypes.LITERAL,
      principal: 'User:nobody',
      operation: AclOperationTypes.ALL,
    }));
    await admin.createAcls({
      acl: [...rights, ...all, { ...all[0]!, resourceType: AclResourceTypes.CLUSTER, resourceName: 'kafka-cluster' }],
    });
    await admin.disconnect();
    const [, blocks] = noted('kafka-tls').find(([name]) => name === page)!;
    const printed = await type(page, blocks, { 'localhost:9093': broker.secureBrokers[0]! });
    expect(printed).toContain('xact.downloads.pending');
    // Whoever has no rights gets nowhere.
    const stranger = { KAFKA_USERNAME: 'stranger', KAFKA_PASSWORD: USERS.stranger, KAFKA_BROKERS: broker.secureBrokers[0]! };
    const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}`, NO_COLOR: '1', ...stranger };
    const refused = run('penstock', ['run', '--config', 'secure.yaml', '--until-idle', '--no-api'], {
      cwd: folderOf(page),
      env,
      timeout: 60_000,
    });
    await expect(refused).rejects.toMatchObject({ stderr: expect.stringContaining('PS3007') });
  });
});

/** The rows of the table of rights. */
function rightsIn(text: string) {
  const rows = [...text.matchAll(/^\| (topic|group|cluster) \| `([^`]+)` \| (prefixed|literal) \| ([^|]+) \|$/gm)];
  return rows.flatMap(([, resource, name, pattern, operations]) =>
    operations!.split(', ').map((operation) => ({
      resourceType: { topic: AclResourceTypes.TOPIC, group: AclResourceTypes.GROUP, cluster: AclResourceTypes.CLUSTER }[resource!]!,
      resourceName: name!,
      resourcePatternType: pattern === 'prefixed' ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
      principal: 'User:penstock',
      host: '*',
      operation:
        AclOperationTypes[
          operation!
            .trim()
            .replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_')
            .toUpperCase() as 'READ'
        ],
      permissionType: AclPermissionTypes.ALLOW,
    })),
  );
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { readonly port: number };
      server.close(() => resolve(port));
    });
  });
}
