import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { buildProgram } from '../../src/cli/program.js';
import { loadPipeline } from '../../src/config/index.js';
import { allTopics, consumedTopics, WORKERS, type XactWorker } from '../../src/domains/xact/topics.js';
import { METRICS, type MetricSpec } from '../../src/observe/metric-table.js';
import { catalogue } from '../config/catalogue.js';
import { printed } from '../config/folder.js';
import { blocksOf, pages } from '../docs/blocks.js';

const root = new URL('../../', import.meta.url).pathname;
const text = (path: string): string => readFileSync(join(root, 'deploy', path), 'utf8');
const files = readdirSync(join(root, 'deploy'), { recursive: true }).map(String);

type Tree = Readonly<Record<string, unknown>>;
const compose = parse(text('compose.yaml'), { merge: true }) as {
  readonly services: Readonly<
    Record<
      string,
      {
        readonly image?: string;
        readonly build?: object;
        readonly pull_policy?: string;
        readonly command?: readonly string[];
        readonly volumes?: readonly string[];
        readonly ports?: readonly string[];
        readonly restart?: string;
        readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
      }
    >
  >;
};
const cluster = ['config', 'workers', 'scaling'].flatMap((name) =>
  parseAllDocuments(text(`k8s/${name}.yaml`)).map((document) => document.toJS() as Tree),
);
interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly envFrom: readonly { readonly secretRef: { readonly name: string } }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
  readonly securityContext: Tree;
}
interface Pod {
  readonly initContainers: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes: readonly { readonly name: string; readonly configMap?: Tree; readonly persistentVolumeClaim?: Tree }[];
  readonly securityContext: Tree;
}
const kind = (name: string): Tree => cluster.find((document) => document['kind'] === name)!;

/** Every list of arguments that a container gives to penstock. */
function calls(): readonly (readonly [where: string, args: readonly string[]])[] {
  const composed = Object.entries(compose.services)
    .filter(([, { image }]) => image === 'penstock')
    .map(([name, { command }]) => [`compose ${name}`, command!] as const);
  return [...composed, ...containersOf(pod()).map(({ name, args }) => [`k8s ${name}`, args] as const)];
}

function pod(): Pod {
  return (kind('Deployment') as { readonly spec: { readonly template: { readonly spec: Pod } } }).spec.template.spec;
}

function containersOf({ initContainers, containers }: Pod): readonly Container[] {
  return [...initContainers, ...containers];
}

/** What is wrong with a list of arguments, as the command line would say; nothing when it would run. */
function wrong(args: readonly string[]): string | undefined {
  const { command } = buildProgram();
  const quiet = (one: Command): void => {
    one.exitOverride().configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
    one.action(() => undefined);
    one.commands.forEach(quiet);
  };
  command.exitOverride().configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  command.commands.forEach(quiet);
  try {
    command.parse([...args], { from: 'user' });
    return undefined;
  } catch (error) {
    return String(error);
  }
}

/** The names of metrics in a text, without what a histogram adds to its own. */
function metricsIn(source: string): readonly string[] {
  return [...source.matchAll(/\bpenstock_[a-z_]+/g)].map(([name]) => (name in METRICS ? name : name.replace(/_(?:bucket|sum|count)$/, '')));
}

const folder = mkdtempSync(join(tmpdir(), 'penstock-deploy-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('deploy', () => {
  it('every file is read', () => {
    const yaml = files.filter((file) => file.endsWith('.yaml'));
    expect(yaml.length).toBeGreaterThan(6);
    for (const file of yaml) for (const document of parseAllDocuments(text(file))) expect(document.errors, file).toEqual([]);
  });

  it('every command and every option is one of penstock', () => {
    expect(calls().map(([where]) => where)).toEqual(['compose topics', 'compose workers', 'k8s topics', 'k8s penstock']);
    for (const [where, args] of calls()) expect(wrong(args), where).toBeUndefined();
    expect(wrong(['run', '--workers', 'x'])).toContain('unknown option');
    expect(wrong(['topics', 'make'])).toBeDefined();
  });

  it('the image has the entry that the package has', () => {
    const { bin, engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      readonly bin: { readonly penstock: string };
      readonly engines: { readonly node: string };
    };
    expect(text('Dockerfile')).toContain(`"node_modules/penstock/${bin.penstock.replace(/^\.\//, '')}"`);
    expect(text('Dockerfile').match(/FROM node:(\d+)/)?.[1]).toBe(engines.node.match(/\d+/)?.[0]);
    for (const [name, { image }] of Object.entries(compose.services))
      expect(image, name).toMatch(/^(?:penstock|[\w/.-]+:v?\d+\.\d+\.\d+)$/);
  });

  it('the image is made where the folder for the package is, of a package that the npm of the image installs', () => {
    const packed = /--pack-destination (\S+)/.exec(text('Dockerfile'))![1]!;
    expect(text('Dockerfile')).toContain(`mkdir ${packed} && npm pack --pack-destination ${packed}`);
    expect(text('Dockerfile')).toContain(`COPY --from=build ${packed} ${packed}`);
    const { peerDependencies, peerDependenciesMeta } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      readonly peerDependencies: Readonly<Record<string, string>>;
      readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>;
    };
    const optional = Object.keys(peerDependencies).filter((name) => peerDependenciesMeta[name]?.optional === true);
    expect(optional.length).toBeGreaterThan(1);
    for (const name of optional) {
      // npm 10, which Node 20 and 22 come with, fails on an optional peer that has peers which want it in turn.
      const { peerDependencies: own = {} } = JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')) as {
        readonly peerDependencies?: Readonly<Record<string, string>>;
      };
      expect(Object.keys(own), name).toEqual([]);
    }
  });

  it('what compose starts is reached from this machine only, comes back, and waits for brokers that are well', () => {
    const services = Object.entries(compose.services);
    expect(services.flatMap(([, { ports = [] }]) => ports).length).toBeGreaterThan(2);
    for (const [name, { image, build, pull_policy: pull, ports = [], restart, depends_on: before }] of services) {
      for (const port of ports) expect(port, name).toMatch(/^127\.0\.0\.1:/);
      if (name !== 'topics') expect(restart, name).toBe('unless-stopped');
      if (image !== 'penstock') continue;
      expect(before, name).toMatchObject({ kafka: { condition: 'service_healthy' } });
      if (build === undefined) expect(pull, name).toBe('never');
    }
    expect(compose.services['kafka']).toMatchObject({ healthcheck: { test: expect.arrayContaining(['kafka:9092']) as unknown } });
  });

  it('Prometheus finds the workers, Grafana finds Prometheus and the dashboards', () => {
    const prometheus = parse(text('prometheus/prometheus.yaml')) as {
      readonly rule_files: readonly string[];
      readonly scrape_configs: readonly { readonly dns_sd_configs: readonly { readonly names: readonly string[] }[] }[];
    };
    for (const name of prometheus.rule_files) expect(files).toContain(`prometheus/${name}`);
    const names = prometheus.scrape_configs.flatMap(({ dns_sd_configs: found }) => found.flatMap(({ names }) => names));
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(compose.services[name]?.command).toContain('run');
    const sources = parse(text('grafana/provisioning/datasources/prometheus.yaml')) as {
      readonly datasources: readonly { readonly uid: string; readonly url: string }[];
    };
    for (const { url } of sources.datasources) expect(Object.keys(compose.services)).toContain(new URL(url).hostname);
    const asked = [...text('grafana/dashboards/penstock.json').matchAll(/"uid": "(\w+)"/g)].map(([, uid]) => uid!);
    const known = new Set(['penstock', ...sources.datasources.map(({ uid }) => uid)]);
    expect(new Set(asked)).toEqual(known);
    const { providers } = parse(text('grafana/provisioning/dashboards/penstock.yaml')) as {
      readonly providers: readonly { readonly options: { readonly path: string } }[];
    };
    for (const { options } of providers) {
      const mounted = compose.services['grafana']!.volumes!.map((volume) => volume.split(':').slice(0, 2).join(' '));
      expect(mounted).toContain(`./grafana/dashboards ${options.path}`);
    }
  });

  it('pods run one image with a version, confined, with every volume that they mount', () => {
    const { volumes, securityContext } = pod();
    expect(securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: expect.any(Number) as unknown,
      fsGroup: expect.any(Number) as unknown,
    });
    const images = new Set(containersOf(pod()).map(({ image }) => image));
    expect(images.size).toBe(1);
    // With a registry's name: without one, engines ask a public registry for whatever has the name.
    for (const image of images) expect(image).toMatch(/^[\w-]+\.[\w.-]+\/penstock:\d+\.\d+\.\d+$/);
    for (const { name, volumeMounts, securityContext: own, args } of containersOf(pod())) {
      expect(own, name).toMatchObject({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } });
      for (const mount of volumeMounts)
        expect(
          volumes.map((volume) => volume.name),
          name,
        ).toContain(mount.name);
      const data = /--data", "([^"]+)"/.exec(text('Dockerfile'))![1]!;
      expect(volumeMounts.find(({ mountPath }) => mountPath === data)?.readOnly, name).toBeUndefined();
      const config = args[args.indexOf('--config') + 1]!;
      const map = volumes.find(
        (volume) => volume.name === volumeMounts.find(({ mountPath }) => config === `${mountPath}/pipeline.yaml`)?.name,
      );
      expect(map?.configMap, name).toEqual({ name: (kind('ConfigMap') as { readonly metadata: Tree }).metadata['name'] });
    }
    const claim = (kind('PersistentVolumeClaim') as { readonly metadata: Tree }).metadata['name'];
    expect(volumes.flatMap(({ persistentVolumeClaim: one }) => one?.['claimName'] ?? [])).toEqual([claim]);
    const page = readFileSync(join(root, 'docs/operations/deploy.md'), 'utf8');
    for (const { envFrom } of containersOf(pod())) for (const { secretRef } of envFrom) expect(page).toContain(`\`${secretRef.name}\``);
  });

  it('the pipelines pass the check', async () => {
    const composed = await loadPipeline({ configPath: join(root, 'deploy/pipeline.yaml'), env: {}, catalogue, cwd: root });
    expect(printed(composed)).toBe('');
    expect(composed.config).toMatchObject({ brokers: ['kafka:9092'], api: { host: '0.0.0.0', port: 4170 } });
    const { data } = kind('ConfigMap') as unknown as { readonly data: Readonly<Record<string, string>> };
    for (const [name, content] of Object.entries(data)) writeFileSync(join(folder, name), content);
    const mounted = await loadPipeline({ configPath: join(folder, 'pipeline.yaml'), env: {}, catalogue, cwd: folder });
    expect(printed(mounted)).toBe('');
    expect(mounted.entries['xact']?.map(({ name }) => name)).toEqual(['event_filter', 'failure_alerter']);
    expect(mounted.config).toMatchObject({ production: true, api: { host: '0.0.0.0', port: 4170 } });
  });

  it('containers get longer to stop than a drain may take, and are asked on the port where they listen', async () => {
    const { config } = await loadPipeline({ configPath: join(root, 'deploy/pipeline.yaml'), env: {}, catalogue, cwd: root });
    const spec = JSON.stringify(kind('Deployment'));
    expect(Number(/"terminationGracePeriodSeconds":(\d+)/.exec(spec)![1]) * 1000).toBeGreaterThan(config!.drainTimeoutMs);
    expect(Number(/stop_grace_period: (\d+)s/.exec(text('compose.yaml'))![1]) * 1000).toBeGreaterThan(config!.drainTimeoutMs);
    const { port } = config!.api;
    for (const asked of (spec + text('compose.yaml') + text('prometheus/prometheus.yaml')).matchAll(/\b(417\d)\b/g))
      expect(Number(asked[1])).toBe(port);
    for (const path of spec.matchAll(/"path":"([^"]+)"/g)) expect(['/livez', '/readyz']).toContain(path[1]);
  });

  it('every group and topic that scaling looks at is a worker and what it reads, with no more processes than partitions', () => {
    const { spec } = kind('ScaledObject') as { readonly spec: unknown };
    const { triggers, maxReplicaCount, scaleTargetRef } = spec as {
      readonly maxReplicaCount: number;
      readonly scaleTargetRef: Tree;
      readonly triggers: readonly {
        readonly metadata: { readonly consumerGroup: XactWorker; readonly topic: string; readonly bootstrapServers: string };
      }[];
    };
    expect(scaleTargetRef).toEqual({ name: (kind('Deployment') as { readonly metadata: Tree }).metadata['name'] });
    // `xact-retry` waits: its lag is what is not yet due.
    const followed = (Object.keys(WORKERS) as XactWorker[]).filter((worker) => worker !== 'xact-retry');
    expect(triggers.map(({ metadata }) => metadata.consumerGroup).toSorted()).toEqual(followed.toSorted());
    // What KEDA waits before its last step to none; there is always more than none here.
    expect(spec).not.toHaveProperty('cooldownPeriod');
    for (const { metadata } of triggers) {
      expect(Object.keys(WORKERS)).toContain(metadata.consumerGroup);
      expect(consumedTopics(metadata.consumerGroup, [])).toContain(metadata.topic);
      expect(allTopics([])).toContain(metadata.topic);
      expect(text('k8s/config.yaml')).toContain(`:-${metadata.bootstrapServers}}`);
    }
    const { data } = kind('ConfigMap') as unknown as { readonly data: Readonly<Record<string, string>> };
    const pipeline = parse(data['pipeline.yaml']!) as {
      readonly kafka: { readonly xact: { readonly topics: { readonly work: { readonly partitions: number } } } };
    };
    expect(maxReplicaCount).toBe(pipeline.kafka.xact.topics.work.partitions);
  });

  it('G11: every metric of the rules and of the dashboard is in the table, with the labels that are asked for', () => {
    const rules = parse(text('prometheus/rules.yaml')) as {
      readonly groups: readonly {
        readonly rules: readonly { readonly alert: string; readonly expr: string; readonly annotations: { readonly summary: string } }[];
      }[];
    };
    for (const { alert, expr, annotations } of rules.groups.flatMap((group) => group.rules)) {
      const names = metricsIn(expr);
      expect(names.length, alert).toBeGreaterThan(0);
      const specs = names.map((name) => (METRICS as Readonly<Record<string, MetricSpec>>)[name]);
      expect(specs, alert).not.toContain(undefined);
      const labels = new Set(specs.flatMap((spec) => spec!.labels));
      const asked = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(', '));
      const told = [...annotations.summary.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label!);
      for (const label of [...asked, ...told]) expect(labels, alert).toContain(label);
      // A value is a fraction more often than not.
      expect(annotations.summary, alert).not.toMatch(/\{\{ *\$value *\}\}/);
      // 0 closed, 1 open, 2 half open: one that is asked for by its number comes and goes, and `for` never ends.
      expect(expr, alert).not.toMatch(/_breaker_state\)? == [12]/);
    }
    const shown = new Set(metricsIn(text('grafana/dashboards/penstock.json')));
    for (const name of shown) expect(Object.keys(METRICS)).toContain(name);
    const missing = Object.keys(METRICS).filter((name) => !shown.has(name));
    expect(missing).toEqual(['penstock_build_info']);
  });

  it('the dashboard is what the table of metrics makes it', async () => {
    const { dashboard } = (await import(join(root, 'deploy/dashboard.mjs'))) as { dashboard(metrics: typeof METRICS): object };
    expect(JSON.parse(text('grafana/dashboards/penstock.json'))).toEqual(dashboard(METRICS));
  });

  it('what compose mounts is there', () => {
    for (const { volumes = [] } of Object.values(compose.services)) {
      for (const volume of volumes.filter((one) => one.startsWith('.'))) {
        const path = volume.split(':')[0]!;
        expect(() => readdirSync(join(root, 'deploy', path)), path).not.toThrow(/ENOENT/);
      }
    }
  });

  it('the commands of the pages name files and services that are there', () => {
    const blocks = pages()
      .flatMap(blocksOf)
      .filter(({ note }) => note === 'containers');
    const lines = blocks.flatMap((block) => block.text.trim().split('\n'));
    expect(lines.length).toBeGreaterThan(4);
    for (const line of lines) {
      const file = /^(?:docker compose --file|kubectl apply --filename) (\S+)/.exec(line)?.[1];
      expect(existsSync(join(root, file ?? 'nothing')), line).toBe(true);
      const service = /(?:--scale |logs --follow )(\w+)/.exec(line)?.[1];
      if (service !== undefined) expect(Object.keys(compose.services), line).toContain(service);
    }
  });

  it('G11: the pages on operations name metrics that are in the table', () => {
    for (const page of pages().filter((name) => name.startsWith('docs/operations/'))) {
      for (const name of metricsIn(readFileSync(join(root, page), 'utf8'))) expect(Object.keys(METRICS), page).toContain(name);
    }
  });
});
