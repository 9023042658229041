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
    Record<string, { readonly image?: string; readonly command?: readonly string[]; readonly volumes?: readonly string[] }>
  >;
};
const cluster = ['config', 'workers', 'scaling'].flatMap((name) =>
  parseAllDocuments(text(`k8s/${name}.yaml`)).map((document) => document.toJS() as Tree),
);
const kind = (name: string): Tree => cluster.find((document) => document['kind'] === name)!;

/** Every list of arguments that a container gives to penstock. */
function calls(): readonly (readonly [where: string, args: readonly string[]])[] {
  const composed = Object.entries(compose.services)
    .filter(([, { image }]) => image === 'penstock')
    .map(([name, { command }]) => [`compose ${name}`, command!] as const);
  const { initContainers, containers } = (kind('Deployment') as { readonly spec: { readonly template: { readonly spec: never } } }).spec
    .template.spec as {
    readonly initContainers: readonly { readonly name: string; readonly args: readonly string[] }[];
    readonly containers: readonly { readonly name: string; readonly args: readonly string[] }[];
  };
  return [...composed, ...[...initContainers, ...containers].map(({ name, args }) => [`k8s ${name}`, args] as const)];
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
    const { triggers, maxReplicaCount } = (kind('ScaledObject') as { readonly spec: unknown }).spec as {
      readonly maxReplicaCount: number;
      readonly triggers: readonly { readonly metadata: { readonly consumerGroup: XactWorker; readonly topic: string } }[];
    };
    expect(triggers.length).toBeGreaterThan(1);
    for (const { metadata } of triggers) {
      expect(Object.keys(WORKERS)).toContain(metadata.consumerGroup);
      expect(consumedTopics(metadata.consumerGroup, [])).toContain(metadata.topic);
      expect(allTopics([])).toContain(metadata.topic);
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
