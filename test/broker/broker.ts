import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { classPath, VERSIONS } from './artifacts.js';
import { type Certificates, makeCertificates } from './certificates.js';
import { LeaderMover } from './leader-mover.js';
import { BrokerNode, formatNode } from './node.js';
import { OtherClient } from './other-client.js';
import { type ClusterLayout, type NodeLayout, propertiesOf } from './properties.js';

export interface BrokerOptions {
  /** Defaults to 1. */
  readonly nodes?: 1 | 3;
  /** Defaults to `PENSTOCK_KAFKA_VERSION`, else the first of `VERSIONS`. */
  readonly version?: string;
  /** Broker settings. */
  readonly set?: Readonly<Record<string, string | number>>;
  /** A second port asks for TLS and a proof of identity; these users have these passwords, `admin` may do all. */
  readonly users?: Readonly<Record<string, string>>;
}

/** A throw-away Apache Kafka on this machine. It leaves nothing behind, also when this process is killed. */
export class Broker {
  private mover: LeaderMover | undefined;
  private readonly others: OtherClient[] = [];

  private constructor(
    readonly version: string,
    readonly nodes: readonly BrokerNode[],
    private readonly home: string,
    private readonly layout: ClusterLayout,
    private readonly classes: string,
    readonly certificates: Certificates | undefined,
  ) {}

  /** Rejects with what was missing or printed when it cannot be had. */
  static async start({ nodes: count = 1, version = defaultVersion(), set = {}, users }: BrokerOptions = {}): Promise<Broker> {
    const classes = await classPath(version);
    const home = await mkdtemp(join(tmpdir(), 'penstock-broker-'));
    try {
      const certificates = users === undefined ? undefined : await makeCertificates(home);
      const ports = await freePorts(count * 3);
      const nodes: NodeLayout[] = Array.from({ length: count }, (_, index) => ({
        id: index + 1,
        directory: join(home, `node${index + 1}`),
        ports: { plain: ports[index * 3]!, controller: ports[index * 3 + 1]!, secure: ports[index * 3 + 2]! },
      }));
      const security =
        users === undefined || certificates === undefined ? undefined : { chain: certificates.chain, key: certificates.key, users };
      const layout: ClusterLayout = { nodes, security, set };
      await Promise.all(
        nodes.map(async (node) => {
          await mkdir(node.directory);
          await formatNode({ layout: node, version, classPath: classes }, propertiesOf(node, layout), users ?? {});
        }),
      );
      const running = nodes.map((node) => new BrokerNode({ layout: node, version, classPath: classes }));
      const broker = new Broker(version, running, home, layout, classes, certificates);
      try {
        await Promise.all(running.map((node) => node.up()));
      } catch (error) {
        await broker.stop();
        throw error;
      }
      return broker;
    } catch (error) {
      await rm(home, { recursive: true, force: true });
      throw error;
    }
  }

  /** `host:port` of every node, for clients that need not say who they are. */
  get brokers(): readonly string[] {
    return this.layout.nodes.map(({ ports }) => `127.0.0.1:${ports.plain}`);
  }

  /** `host:port` of every node, for clients with TLS and credentials. */
  get secureBrokers(): readonly string[] {
    return this.layout.nodes.map(({ ports }) => `127.0.0.1:${ports.secure}`);
  }

  /** From 1. */
  node(id: number): BrokerNode {
    const node = this.nodes[id - 1];
    if (node === undefined) throw new Error(`the cluster has ${this.nodes.length} nodes, there is no ${id}`);
    return node;
  }

  /** Makes another node the leader of a partition; resolves with its id when it is. */
  async moveLeader(topic: string, partition: number): Promise<number> {
    this.mover ??= new LeaderMover(this.classes, this.brokers);
    return this.mover.move(topic, partition);
  }

  /** Kafka's own client, connected to this broker; it ends with it. */
  otherClient(): OtherClient {
    const client = new OtherClient(this.classes, this.brokers);
    this.others.push(client);
    return client;
  }

  /** Ends all nodes and removes their data. */
  async stop(): Promise<void> {
    this.mover?.stop();
    for (const client of this.others) client.stop();
    await Promise.all(this.nodes.map((node) => node.retire()));
    await rm(this.home, { recursive: true, force: true, maxRetries: 5 });
  }
}

function defaultVersion(): string {
  return process.env['PENSTOCK_KAFKA_VERSION'] ?? VERSIONS[0];
}

/** Ports that were free a moment ago, held open together so that no two are the same. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer();
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
