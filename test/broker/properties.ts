import { join } from 'node:path';

export interface NodeLayout {
  /** From 1. */
  readonly id: number;
  readonly directory: string;
  /** The port of clients, of the controllers, and of clients that must prove who they are. */
  readonly ports: { readonly plain: number; readonly controller: number; readonly secure: number };
}

export interface Security {
  /** PEM: the broker's certificate chain and its key. */
  readonly chain: string;
  readonly key: string;
  /** Passwords of users, for PLAIN; SCRAM users are made when the node is formatted. */
  readonly users: Readonly<Record<string, string>>;
}

export interface ClusterLayout {
  readonly nodes: readonly NodeLayout[];
  readonly security: Security | undefined;
  /** Broker settings that take the place of those here. */
  readonly set: Readonly<Record<string, string | number>>;
}

const HOST = '127.0.0.1';

/** Small, quick to start, and with the factors that the number of nodes allows. */
export function propertiesOf(node: NodeLayout, { nodes, security, set }: ClusterLayout): string {
  const factor = nodes.length === 1 ? 1 : 3;
  const inSync = nodes.length === 1 ? 1 : 2;
  const { plain, controller, secure } = node.ports;
  const listeners = [`PLAINTEXT://${HOST}:${plain}`, ...(security === undefined ? [] : [`SASL_SSL://${HOST}:${secure}`])];
  const properties: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': node.id,
    'controller.quorum.voters': nodes.map(({ id, ports }) => `${id}@${HOST}:${ports.controller}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    listeners: [...listeners, `CONTROLLER://${HOST}:${controller}`].join(','),
    'advertised.listeners': listeners.join(','),
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL',
    'log.dirs': join(node.directory, 'data'),
    'num.partitions': 3,
    'default.replication.factor': factor,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': factor,
    'offsets.topic.num.partitions': 3,
    'transaction.state.log.replication.factor': factor,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': 3,
    'share.coordinator.state.topic.replication.factor': factor,
    'share.coordinator.state.topic.min.isr': inSync,
    'share.coordinator.state.topic.num.partitions': 3,
    'group.initial.rebalance.delay.ms': 0,
    'auto.create.topics.enable': false,
    // The default of 128 MiB is most of what a small broker takes.
    'log.cleaner.dedupe.buffer.size': 2_097_152,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'background.threads': 2,
    'broker.session.timeout.ms': 6000,
    'broker.heartbeat.interval.ms': 1000,
    'controller.quorum.election.timeout.ms': 300,
    'controller.quorum.election.backoff.max.ms': 200,
    ...(security === undefined ? {} : secured(security)),
    ...set,
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

/** Clients prove who they are by PLAIN, SCRAM or an unsigned token; rights are checked, and whoever comes by the plain port may do all. */
function secured({ chain, key, users }: Security): Record<string, string> {
  const oneLine = (pem: string) => pem.trim().replaceAll('\n', '\\n');
  const known = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`);
  const module = 'org.apache.kafka.common.security';
  return {
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.certificate.chain': oneLine(chain),
    'ssl.keystore.key': oneLine(key),
    'listener.name.sasl_ssl.plain.sasl.jaas.config': `${module}.plain.PlainLoginModule required ${known.join(' ')};`,
    'listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config': `${module}.scram.ScramLoginModule required;`,
    'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config': `${module}.scram.ScramLoginModule required;`,
    'listener.name.sasl_ssl.oauthbearer.sasl.jaas.config': `${module}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS;User:admin',
    'allow.everyone.if.no.acl.found': 'true',
  };
}
