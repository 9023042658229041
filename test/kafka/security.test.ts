import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, type Admin, Kafka, logLevel, ResourcePatternTypes } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openKafka } from '../../src/transport/kafka/index.js';
import type { KafkaOptions } from '../../src/transport/kafka/index.js';
import type { Transport } from '../../src/transport/transport.js';
import { Broker } from '../broker/broker.js';
import { Collector, doorOf, until } from '../transport/collector.js';
import { pause } from './scale.js';
import { QUICK } from './subject.js';

const USERS = { admin: 'admin-secret', alice: 'alice-secret', bob: 'bob-secret' };

let broker: Broker;
let tls: { ca: string };
const opened: Transport[] = [];

beforeAll(async () => {
  broker = await Broker.start({ users: USERS });
  tls = { ca: broker.certificates!.authority };
});

afterEach(async () => {
  for (const transport of opened.splice(0)) await transport.close();
});

afterAll(() => broker?.stop());

async function open(options: Partial<KafkaOptions>): Promise<Transport> {
  const transport = await openKafka({ ...QUICK, brokers: broker.secureBrokers, ...options });
  opened.push(transport);
  return transport;
}

/** A token that nobody has signed: the test broker takes it. */
function unsignedToken(subject: string): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  return `${part({ alg: 'none' })}.${part({ sub: subject, iat: now, exp: now + 3600 })}.`;
}

describe('TLS and SASL', () => {
  const WAYS: readonly (readonly [string, KafkaOptions['sasl']])[] = [
    ['plain', { mechanism: 'plain', username: 'alice', password: USERS.alice }],
    ['scram-sha-256', { mechanism: 'scram-sha-256', username: 'alice', password: USERS.alice }],
    ['scram-sha-512', { mechanism: 'scram-sha-512', username: 'alice', password: USERS.alice }],
    ['oauthbearer', { mechanism: 'oauthbearer', token: () => Promise.resolve(unsignedToken('alice')) }],
  ];

  it.each(WAYS)('G1: produces and consumes as whoever %s says', async (name, sasl) => {
    const transport = await open({ tls, sasl: sasl! });
    const topic = `secure.${name}`;
    await transport.ensureTopics([{ name: topic, partitions: 1 }]);
    await transport.produce([{ topic, key: 'k', value: 'v' }]);
    const collector = new Collector(transport.consume({ topics: [topic], group: topic, credits: { count: 10, bytes: 1000 } }));
    const [delivery] = await collector.has(1);
    delivery!.settle('delivered');
    expect(await doorOf(delivery!)).toBe('delivered');
    collector.unsubscribe();
  });

  it('a wrong password is refused by name, at once', async () => {
    const sasl = { mechanism: 'plain', username: 'alice', password: 'no' } as const;
    await expect(open({ tls, sasl })).rejects.toMatchObject({ code: 'PS3007', category: 'auth' });
  });

  it('a certificate of an unknown authority is refused by name', async () => {
    const sasl = { mechanism: 'plain', username: 'alice', password: USERS.alice } as const;
    const stranger = { ca: broker.certificates!.stranger };
    await expect(open({ tls: stranger, sasl })).rejects.toMatchObject({ code: 'PS3007', category: 'auth' });
    await expect(open({ tls: true, sasl })).rejects.toMatchObject({ code: 'PS3007' });
  });

  it('a certificate for another name, an authority that is none, and a key of another certificate are refused by name, at once', async () => {
    const sasl = { mechanism: 'plain', username: 'alice', password: USERS.alice } as const;
    const { key, stranger } = broker.certificates!;
    const before = Date.now();
    await expect(open({ tls: { ...tls, servername: 'elsewhere.invalid' }, sasl })).rejects.toMatchObject({
      code: 'PS3007',
      category: 'auth',
    });
    await expect(open({ tls: { ca: 'nothing of the kind' }, sasl })).rejects.toMatchObject({ code: 'PS3007', category: 'auth' });
    await expect(open({ tls: { ...tls, cert: stranger, key }, sasl })).rejects.toMatchObject({ code: 'PS3007', category: 'auth' });
    expect(Date.now() - before).toBeLessThan(30_000);
  });

  it('a key that is none is refused by name', async () => {
    const sasl = { mechanism: 'plain', username: 'alice', password: USERS.alice } as const;
    const cert = broker.certificates!.chain;
    await expect(open({ tls: { ...tls, cert, key: 'nothing of the kind' }, sasl })).rejects.toMatchObject({
      code: 'PS3007',
      category: 'auth',
    });
  });

  const REFUSED: readonly (readonly [string, NonNullable<KafkaOptions['sasl']>])[] = [
    ['a user that nobody knows', { mechanism: 'scram-sha-256', username: 'nobody', password: 'no' }],
    ['a wrong password by scram', { mechanism: 'scram-sha-512', username: 'alice', password: 'no' }],
    ['a token that is none', { mechanism: 'oauthbearer', token: () => Promise.resolve('no token') }],
  ];

  it.each(REFUSED)('%s: refused by name, at once', async (_, sasl) => {
    const before = Date.now();
    await expect(open({ tls, sasl })).rejects.toMatchObject({ code: 'PS3007', category: 'auth' });
    expect(Date.now() - before).toBeLessThan(10_000);
  });

  it('a token that cannot be had: whoever opens the log is told why, at once', async () => {
    const before = Date.now();
    const sasl = { mechanism: 'oauthbearer', token: () => Promise.reject(new Error('the issuer does not answer')) } as const;
    await expect(open({ tls, sasl })).rejects.toThrow(/the issuer does not answer/);
    expect(Date.now() - before).toBeLessThan(10_000);
  });

  it('a port that wants a proof of identity and is given none is named within seconds', async () => {
    const before = Date.now();
    await expect(open({ tls })).rejects.toMatchObject({
      code: expect.stringMatching(/PS300[17]/),
      help: expect.stringContaining('kafka.sasl'),
    });
    expect(Date.now() - before).toBeLessThan(30_000);
  });

  it('a port without TLS that is spoken to with it, and one with TLS that is not, are named within seconds', async () => {
    const before = Date.now();
    await expect(open({ brokers: broker.brokers, tls })).rejects.toMatchObject({ code: expect.stringMatching(/PS300[17]/) });
    await expect(open({ tls: false })).rejects.toMatchObject({ code: 'PS3001', help: expect.stringContaining('kafka.tls') });
    expect(Date.now() - before).toBeLessThan(30_000);
  });
});

describe('rights', () => {
  const admin = async (work: (admin: Admin) => Promise<unknown>): Promise<void> => {
    const client = new Kafka({ brokers: [...broker.brokers], logLevel: logLevel.NOTHING }).admin();
    await client.connect();
    await work(client);
    await client.disconnect();
  };
  const entry = (topic: string, operation: AclOperationTypes, permissionType: AclPermissionTypes) => ({
    resourceType: AclResourceTypes.TOPIC,
    resourceName: topic,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: 'User:bob',
    host: '*',
    operation,
    permissionType,
  });
  const refuse = (entries: readonly ReturnType<typeof entry>[], on: boolean) =>
    admin((client) => (on ? client.createAcls({ acl: [...entries] }) : client.deleteAcls({ filters: [...entries] })));
  const deny = (topic: string, operation: AclOperationTypes, on: boolean) => refuse([entry(topic, operation, AclPermissionTypes.DENY)], on);
  const allowGroup = (group: string, operation: AclOperationTypes) =>
    refuse([{ ...entry(group, operation, AclPermissionTypes.ALLOW), resourceType: AclResourceTypes.GROUP }], true);
  const ofCluster = (operation: AclOperationTypes) => [
    { ...entry('kafka-cluster', operation, AclPermissionTypes.DENY), resourceType: AclResourceTypes.CLUSTER },
  ];
  /** Once anybody is allowed something of a topic, only what is allowed is. */
  const allow = (topic: string, operation: AclOperationTypes) =>
    admin((client) => client.createAcls({ acl: [entry(topic, operation, AclPermissionTypes.ALLOW)] }));

  const bob = { mechanism: 'plain', username: 'bob', password: USERS.bob } as const;

  it('a topic that may not be written: produce says so, and nothing else suffers', async () => {
    const transport = await open({ tls, sasl: bob });
    await transport.ensureTopics(['closed', 'open'].map((name) => ({ name, partitions: 1 })));
    await deny('closed', AclOperationTypes.WRITE, true);
    await expect(transport.produce([{ topic: 'closed', key: null, value: 'x' }])).rejects.toMatchObject({
      code: 'PS3007',
      category: 'auth',
    });
    expect(await transport.produce([{ topic: 'open', key: null, value: 'x' }])).toMatchObject([{ topic: 'open', offset: 0 }]);
  });

  it('what a claim carries to such a topic: intake waits with a named fault, and goes on by itself when the right is given', async () => {
    const transport = await open({ tls, sasl: bob });
    await transport.ensureTopics(['source', 'sink'].map((name) => ({ name, partitions: 1 })));
    await transport.produce(['a', 'b'].map((value) => ({ topic: 'source', key: null, value })));
    await deny('sink', AclOperationTypes.WRITE, true);
    const collector = new Collector(transport.consume({ topics: ['source'], group: 'rights', credits: { count: 1, bytes: 1000 } }));
    const [a] = await collector.has(1);
    a!.carry({ kind: 'produce', record: { topic: 'sink', key: null, value: 'from a' } });
    a!.settle('delivered');
    await until('the fault', () => collector.consumer.state().fault === 'access_refused');
    expect((await transport.committed('rights', 'source'))[0]!.offset).toBe(-1);
    await deny('sink', AclOperationTypes.WRITE, false);
    expect(await doorOf(a!)).toBe('delivered');
    await collector.has(2);
    expect(collector.consumer.state().fault).toBeUndefined();
    collector.unsubscribe();
  });

  it('a topic that may not be seen: the consumer says so by a fault, and goes on when it may', async () => {
    const transport = await open({ tls, sasl: bob });
    await transport.ensureTopics([{ name: 'unseen', partitions: 1 }]);
    await transport.produce([{ topic: 'unseen', key: null, value: 'x' }]);
    await deny('unseen', AclOperationTypes.DESCRIBE, true);
    const collector = new Collector(transport.consume({ topics: ['unseen'], group: 'unseen', credits: { count: 1, bytes: 1000 } }));
    await until('the fault', () => collector.consumer.state().fault === 'topic_missing', 30_000);
    await deny('unseen', AclOperationTypes.DESCRIBE, false);
    await until('the record', () => collector.deliveries.length === 1, 30_000);
    collector.unsubscribe();
  });

  it('a topic that may be seen and not read: the consumer says so by a fault that stays, and goes on when it may', async () => {
    const transport = await open({ tls, sasl: bob });
    await transport.ensureTopics([{ name: 'unread', partitions: 1 }]);
    await transport.produce([{ topic: 'unread', key: null, value: 'x' }]);
    await allow('unread', AclOperationTypes.DESCRIBE);
    const collector = new Collector(transport.consume({ topics: ['unread'], group: 'unread', credits: { count: 1, bytes: 1000 } }));
    await until('the fault', () => collector.consumer.state().fault === 'access_refused', 30_000);
    for (let look = 0; look < 50; look += 1) {
      await pause(20);
      expect(collector.consumer.state().fault).toBe('access_refused');
    }
    await allow('unread', AclOperationTypes.READ);
    await until('the record', () => collector.deliveries.length === 1, 30_000);
    expect(collector.consumer.state().fault).toBeUndefined();
    collector.unsubscribe();
  });

  it('a group that may be seen and not joined: the consumer says so by a fault, and goes on when it may', async () => {
    const warnings: string[] = [];
    const transport = await open({ tls, sasl: bob, onWarning: (error) => warnings.push(error.message) });
    await transport.ensureTopics([{ name: 'joined', partitions: 1 }]);
    await transport.produce([{ topic: 'joined', key: null, value: 'x' }]);
    await allowGroup('closed.group', AclOperationTypes.DESCRIBE);
    const collector = new Collector(transport.consume({ topics: ['joined'], group: 'closed.group', credits: { count: 1, bytes: 1000 } }));
    await until('the fault', () => collector.consumer.state().fault === 'access_refused', 30_000);
    expect([collector.deliveries.length, collector.error]).toEqual([0, undefined]);
    expect(warnings.join()).toMatch(/group closed\.group .*: Not authorized to access group/i);
    await allowGroup('closed.group', AclOperationTypes.READ);
    await until('the record', () => collector.deliveries.length === 1, 30_000);
    await until('no fault', () => collector.consumer.state().fault === undefined);
    collector.unsubscribe();
  });

  it('a group that may not be seen: the consumer says so by a fault, and whoever asks is told', async () => {
    const transport = await open({ tls, sasl: bob });
    await transport.ensureTopics([{ name: 'asked', partitions: 1 }]);
    await transport.produce([{ topic: 'asked', key: null, value: 'x' }]);
    const hidden = [
      { ...entry('hidden.group', AclOperationTypes.DESCRIBE, AclPermissionTypes.DENY), resourceType: AclResourceTypes.GROUP },
    ];
    await refuse(hidden, true);
    await expect(transport.committed('hidden.group', 'asked')).rejects.toMatchObject({ code: 'PS3007', category: 'auth' });
    await expect(transport.backlog('hidden.group', ['asked'])).rejects.toMatchObject({ code: 'PS3007' });
    const collector = new Collector(transport.consume({ topics: ['asked'], group: 'hidden.group', credits: { count: 1, bytes: 1000 } }));
    await until('the fault', () => collector.consumer.state().fault === 'access_refused', 30_000);
    await refuse(hidden, false);
    await until('the record', () => collector.deliveries.length === 1, 30_000);
    collector.unsubscribe();
  });

  it('a right that is taken away while records are out: nothing of them is lost, and the fault goes by itself', async () => {
    const transport = await open({ tls, sasl: bob });
    await transport.ensureTopics([{ name: 'taken', partitions: 1 }]);
    await transport.produce(['a', 'b'].map((value) => ({ topic: 'taken', key: null, value })));
    const collector = new Collector(transport.consume({ topics: ['taken'], group: 'taken', credits: { count: 1, bytes: 1000 } }));
    const [a] = await collector.has(1);
    const entries = [{ ...entry('taken', AclOperationTypes.READ, AclPermissionTypes.DENY), resourceType: AclResourceTypes.GROUP }];
    await refuse(entries, true);
    a!.settle('delivered');
    await until('the fault', () => collector.consumer.state().fault === 'access_refused', 30_000);
    await refuse(entries, false);
    // It may have lost its place meanwhile: then the first comes again.
    await until(
      'both',
      async () => {
        for (const delivery of collector.deliveries) if (delivery.outcome === undefined) delivery.settle('delivered');
        return (await transport.backlog('taken', ['taken'])) === 0;
      },
      30_000,
    );
    expect(collector.values).toContain('b');
    collector.unsubscribe();
  });

  const marked = async (transport: Transport, store: string) => {
    const topic = `source.${store}`;
    await transport.ensureTopics([{ name: topic, partitions: 1 }]);
    await transport.produce([{ topic, key: null, value: 'x' }]);
    const book = transport.marks(store, { capacity: 10 });
    const collector = new Collector(transport.consume({ topics: [topic], group: topic, credits: { count: 1, bytes: 1000 } }));
    const [delivery] = await collector.has(1);
    delivery!.carry({ kind: 'mark', store, key: 'k', expiresAt: Date.now() + 60_000 });
    delivery!.settle('delivered');
    return { topic, book, collector, delivery: delivery! };
  };

  it('marks that may not be written: intake waits with a named fault, and goes on by itself when the right is given', async () => {
    const transport = await open({ tls, sasl: bob });
    for (const right of [AclOperationTypes.DESCRIBE, AclOperationTypes.READ, AclOperationTypes.CREATE])
      await allow('penstock.marks.closed', right);
    const { topic, book, collector, delivery } = await marked(transport, 'closed');
    await until('the fault', () => collector.consumer.state().fault === 'access_refused', 30_000);
    expect([book.has('k', Date.now()), (await transport.committed(topic, topic))[0]!.offset]).toEqual([false, -1]);
    await allow('penstock.marks.closed', AclOperationTypes.WRITE);
    expect(await doorOf(delivery)).toBe('delivered');
    expect(book.has('k', Date.now())).toBe(true);
    collector.unsubscribe();
  });

  it('a topic of marks that may not be made: intake waits with a named fault, and goes on by itself when the right is given', async () => {
    const transport = await open({ tls, sasl: bob });
    const entries = [
      entry('penstock.marks.unmade', AclOperationTypes.CREATE, AclPermissionTypes.DENY),
      entry('penstock.marks.unmade', AclOperationTypes.DESCRIBE, AclPermissionTypes.ALLOW),
      ...ofCluster(AclOperationTypes.CREATE),
    ];
    await transport.ensureTopics([{ name: 'source.unmade', partitions: 1 }]);
    await refuse(entries, true);
    const { collector, delivery } = await marked(transport, 'unmade');
    await until('the fault', () => collector.consumer.state().fault === 'access_refused', 30_000);
    await refuse(entries, false);
    expect(await doorOf(delivery)).toBe('delivered');
    collector.unsubscribe();
  });

  it.each([
    ['read', AclOperationTypes.DESCRIBE],
    ['seen', AclOperationTypes.ALTER_CONFIGS],
  ] as const)('marks that may not be %s: nothing is handed out before they are, and the fault is named', async (what, right) => {
    const store = `not.${what}`;
    const first = await open({ tls, sasl: bob });
    const { topic, collector, delivery } = await marked(first, store);
    expect(await doorOf(delivery)).toBe('delivered');
    collector.unsubscribe();
    await first.produce([{ topic, key: null, value: 'y' }]);
    await allow(`penstock.marks.${store}`, right);
    const second = await open({ tls, sasl: bob });
    const book = second.marks(store, { capacity: 10 });
    const other = new Collector(second.consume({ topics: [topic], group: topic, credits: { count: 1, bytes: 1000 } }));
    await until('the fault', () => other.consumer.state().fault === 'access_refused', 30_000);
    for (let look = 0; look < 50; look += 1) {
      await pause(20);
      expect([other.consumer.state().fault, other.deliveries.length]).toEqual(['access_refused', 0]);
    }
    await allow(`penstock.marks.${store}`, AclOperationTypes.READ);
    await until('the record', () => other.deliveries.length === 1, 30_000);
    expect(book.has('k', Date.now())).toBe(true);
    other.unsubscribe();
  });

  it('topics that may not be made: whoever makes or writes one is told, at once', async () => {
    const transport = await open({ tls, sasl: bob });
    const entries = [entry('unmade', AclOperationTypes.CREATE, AclPermissionTypes.DENY), ...ofCluster(AclOperationTypes.CREATE)];
    await refuse(entries, true);
    const before = Date.now();
    await expect(transport.ensureTopics([{ name: 'unmade', partitions: 1 }])).rejects.toMatchObject({ code: 'PS3007', category: 'auth' });
    await expect(transport.produce([{ topic: 'unmade', key: null, value: 'x' }])).rejects.toMatchObject({
      code: 'PS3007',
      category: 'auth',
    });
    expect(Date.now() - before).toBeLessThan(10_000);
    await refuse(entries, false);
  });

  it('partitions that may not be added: whoever adds them is told, at once', async () => {
    const transport = await open({ tls, sasl: bob });
    await transport.ensureTopics([{ name: 'grown', partitions: 1 }]);
    await allow('grown', AclOperationTypes.DESCRIBE);
    const before = Date.now();
    await expect(transport.ensureTopics([{ name: 'grown', partitions: 2 }])).rejects.toMatchObject({ code: 'PS3007', category: 'auth' });
    expect(Date.now() - before).toBeLessThan(10_000);
  });

  it('a producer that may not write with sequence numbers is told, at once; what a claim carries waits with a named fault', async () => {
    const transport = await open({ tls, sasl: bob });
    await transport.ensureTopics(['plain', 'plain.out'].map((name) => ({ name, partitions: 1 })));
    const writer = await open({ tls, sasl: { mechanism: 'plain', username: 'alice', password: USERS.alice } });
    await writer.produce([{ topic: 'plain', key: null, value: 'x' }]);
    // The brokers ask for the one right where somebody may write no topic at all.
    const entries = [
      entry('*', AclOperationTypes.WRITE, AclPermissionTypes.DENY),
      ...[AclOperationTypes.READ, AclOperationTypes.DESCRIBE_CONFIGS].map((right) => entry('*', right, AclPermissionTypes.ALLOW)),
      ...ofCluster(AclOperationTypes.IDEMPOTENT_WRITE),
    ];
    await refuse(entries, true);
    const before = Date.now();
    await expect(transport.produce([{ topic: 'plain.out', key: null, value: 'x' }])).rejects.toMatchObject({
      code: 'PS3007',
      category: 'auth',
      message: expect.stringMatching(/cluster/i),
    });
    expect(Date.now() - before).toBeLessThan(10_000);
    const collector = new Collector(transport.consume({ topics: ['plain'], group: 'plain', credits: { count: 1, bytes: 1000 } }));
    const [delivery] = await collector.has(1);
    delivery!.carry({ kind: 'produce', record: { topic: 'plain.out', key: null, value: 'from x' } });
    delivery!.settle('delivered');
    await until('the fault', () => collector.consumer.state().fault === 'access_refused', 30_000);
    await refuse(entries, false);
    expect(await doorOf(delivery!)).toBe('delivered');
    collector.unsubscribe();
  });
});
