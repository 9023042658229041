import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { DOMAINS, loadPipeline } from '../../src/config/index.js';
import { YamlFile } from '../../src/config/yaml-file.js';
import {
  countLine,
  type Diagnostic,
  didYouMean,
  distance,
  fit,
  renderJson,
  renderPretty,
  sortDiagnostics,
} from '../../src/diagnostics/index.js';
import { catalogue, named } from './catalogue.js';
import { folder } from './folder.js';

const withClaimx = DOMAINS.map((domain) => ({ ...domain, runs: true }));
const pipeline = 'kafka: { claimx: { plugins: { config_path: config/claimx_plugins.yaml } } }\n';

async function printed(text: string) {
  const cwd = folder({ 'pipeline.yaml': pipeline, 'config/claimx_plugins.yaml': text });
  const loaded = await loadPipeline({
    configPath: 'pipeline.yaml',
    env: {},
    catalogue: { ...catalogue, task_trigger: named('task_trigger', ['claimx']) },
    cwd,
    shapes: withClaimx,
  });
  return renderPretty(loaded.diagnostics, { source: (file) => loaded.sources.get(file) });
}

const seed = `plugins:
  - name: "task_trigger"
    module: "kafka_pipeline.plugins.task_trigger"
    class: "TaskTriggerPlugin"
    enabled: true
    config:
      triggers:
        456:
          name: "Photo Documentation"
          on_completed:
            publish_to_topic: "claimx.task-456-completed"
            webhook:
              url: "https://api.example.com/task-complete"
              method: "POST"
              headers:
                Authorization: "Bearer \${WEBHOOK_TOKEN}"
`;

describe('findings as people see them', () => {
  it('shows a wrong indent against its neighbours, and only the first error of a block', () => {
    const text = 'plugins:\n  - name: a\n    enabled: true\n   priority: 10\n    config: {filter_pattern: ".*test.*"\n  - name: b\n';
    const yaml = new YamlFile(text, 'config/xact_plugins.yaml');
    expect(renderPretty(yaml.diagnostics, { source: () => text })).toBe(
      `config/xact_plugins.yaml:4:4 error PS1001 this line is indented by 3 spaces, its siblings by 4
  3 |     enabled: true
  4 |    priority: 10
    |    ^^^^^^^^
  5 |     config: {filter_pattern: ".*test.*"
  = help: indent "priority" like "enabled" on line 3
`,
    );
  });

  it('shows a key that stands deeper than the one above it, which has its value', () => {
    const text = 'plugins:\n  - name: audit_logger\n\n      # on\n     enabled: true\n    priority: 10\n';
    expect(new YamlFile(text, 'f.yaml').diagnostics).toMatchObject([
      {
        line: 5,
        column: 6,
        message: 'this line is indented by 5 spaces, its siblings by 4',
        help: 'indent "enabled" like "name" on line 2',
      },
    ]);
    expect(new YamlFile('a: b: c\n  d: e\n', 'f.yaml').diagnostics[0]).toMatchObject({
      line: 1,
      message: 'a second ": " stands in this line',
    });
  });

  it('shows the first error of each block of a file', () => {
    const text = 'a: @x\nb: `y\nc: fine\nd: 1\nd: 2\n';
    expect(new YamlFile(text, 'f.yaml').diagnostics.map(({ line, column, message }) => [line, column, message])).toEqual([
      [1, 4, 'plain value cannot start with reserved character @'],
      [2, 4, 'plain value cannot start with reserved character `'],
      [5, 1, 'this key stands here a second time'],
    ]);
  });

  it('names an unknown plugin and what was meant', async () => {
    expect(await printed(`${seed.replace('${WEBHOOK_TOKEN}', 'x')}  - name: audit_loger\n`)).toBe(
      `config/claimx_plugins.yaml:17:11 error PS1203 no plugin is called "audit_loger"
  17 |   - name: audit_loger
     |           ^^^^^^^^^^^
  = help: did you mean "audit_logger" (built in)? \`penstock plugins ls\` lists all 11.
`,
    );
  });

  it('shows violations of a schema, sorted by place', () => {
    const trigger = z.strictObject({ url: z.string(), method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).default('POST') });
    const entry = z
      .strictObject({
        name: z.string(),
        priority: z.int().optional(),
        enabled: z.boolean().default(true),
        webhook: z.union([z.string(), trigger]).optional(),
      })
      .meta({ title: 'a plugin entry' });
    const text = `
- name: a
  webhook:
    url: "https://api.example.com/task-complete"
    method: "PSOT"
- name: b
  priorty: 1
  enabled: "yes"
`;
    const yaml = new YamlFile(text, 'config/claimx_plugins.yaml');
    const { value, diagnostics } = fit(z.array(entry), yaml.read({}).value, { locate: (path, part) => yaml.place(path, part) });
    expect(value).toBeUndefined();
    expect(renderPretty(diagnostics, { source: () => text })).toBe(
      `config/claimx_plugins.yaml:5:13 error PS1102 method must be GET, POST, PUT, PATCH or DELETE
  4 |     url: "https://api.example.com/task-complete"
  5 |     method: "PSOT"
    |             ^^^^^^
  = help: did you mean "POST"?
config/claimx_plugins.yaml:7:3 error PS1103 a plugin entry has no key "priorty"
  = help: did you mean "priority"?
config/claimx_plugins.yaml:8:12 error PS1104 enabled must be true or false, this is the text "yes"
  = help: YAML 1.2 has no yes/no; write true
`,
    );
  });

  it('F8: a variable in a header is asked for, with who uses it', async () => {
    expect(await printed(seed)).toBe(
      `config/claimx_plugins.yaml:16:40 error PS1301 environment variable WEBHOOK_TOKEN is not set
  16 |                 Authorization: "Bearer \${WEBHOOK_TOKEN}"
     |                                        ^^^^^^^^^^^^^^^^
  = help: set it, use --env-file .env, or give a default: \${WEBHOOK_TOKEN:-none}
          used by: task_trigger → triggers.456.on_completed.webhook.headers.Authorization
`,
    );
  });

  it('descends into the form of a choice that fits best, and names all forms when none does', () => {
    const schema = z.strictObject({ hook: z.union([z.string(), z.strictObject({ url: z.string() })]) });
    const said = (hook: unknown) =>
      fit(schema, { hook }, { locate: () => undefined }).diagnostics.map(({ code, message }) => `${code} ${message}`);
    expect(said({ uri: 'x' })).toEqual(['PS1101 hook needs the key "url"', 'PS1103 hook has no key "uri"']);
    expect(said(5)).toEqual(['PS1104 hook must be text or a map, this is 5']);
  });

  it('lets x- keys pass, counts an empty value as none, and takes digits of a variable as text where text is wanted', () => {
    const schema = z.strictObject({ name: z.string(), size: z.int().default(3), token: z.string() });
    const yaml = new YamlFile('x-note: anything\nname: a\nsize:\ntoken: ${TOKEN}\n', 'f.yaml');
    const reading = yaml.read({ TOKEN: '0123' });
    expect(reading.value).toMatchObject({ token: 123 });
    const fitted = fit(schema, reading.value, { locate: (path, part) => yaml.place(path, part), textOf: (path) => reading.textOf(path) });
    expect(fitted).toEqual({ value: { name: 'a', size: 3, token: '0123' }, diagnostics: [] });
  });

  it('G6: shows no secret, neither in a sentence nor in a line', () => {
    const text = 'auth_token: [hunter2]\nlevel: x\napi: {client_secret: "hunter2", level: y}\n';
    const yaml = new YamlFile(text, 'f.yaml');
    const schema = z.strictObject({
      auth_token: z.string(),
      level: z.enum(['a']),
      api: z.strictObject({ client_secret: z.enum(['b']), level: z.enum(['a']) }),
    });
    const { diagnostics } = fit(schema, yaml.read({}).value, { locate: (path, part) => yaml.place(path, part) });
    expect(diagnostics).toHaveLength(4);
    const out = renderPretty(diagnostics, { source: () => text }) + renderJson(diagnostics);
    expect(out).not.toContain('hunter2');
    expect(out).toContain('[REDACTED]');
  });

  it('shows of a long line what stands around the mistake', () => {
    const text = `${'a'.repeat(5_000)}HERE${'b'.repeat(5_000)}`;
    const at: Diagnostic = { code: 'PS1102', severity: 'error', file: 'f', line: 1, column: 5_001, endColumn: 5_005, message: 'm' };
    const [, line, carets] = renderPretty([at], { source: () => text }).split('\n');
    expect(line).toMatch(/^ {2}1 \| …a+HEREb+…$/);
    expect(line!.length).toBeLessThan(220);
    expect(carets!.trimEnd()).toHaveLength(line!.indexOf('HERE') + 'HERE'.length);
    expect(carets!.indexOf('^')).toBe(line!.indexOf('HERE'));
  });

  it('prints one JSON object a line, sorted by place', () => {
    const at = (file: string | undefined, line: number): Diagnostic => ({
      code: 'PS1101',
      severity: 'error',
      file,
      line,
      column: 1,
      message: 'm',
    });
    const lines = renderJson([at('b', 1), at('a', 10), at('a', 9), at(undefined, 1)])
      .trim()
      .split('\n');
    expect(lines.map((line) => (JSON.parse(line) as Diagnostic).file)).toEqual([undefined, 'a', 'a', 'b']);
    expect(JSON.parse(lines[0]!)).toMatchObject({ docs: 'docs/errors.md#ps1101-a-required-key-is-missing' });
    expect(sortDiagnostics([at('a', 10), at('a', 9)]).map(({ line }) => line)).toEqual([9, 10]);
    expect(renderJson([])).toBe('');
    expect(countLine([at('a', 1), { ...at('a', 1), severity: 'warning' }])).toBe('1 warning, 1 error.');
    expect(countLine([])).toBe('0 warnings, 0 errors.');
  });

  it('paints only the severity and the carets', () => {
    const diagnostic: Diagnostic = { code: 'PS1102', severity: 'warning', file: 'f', line: 1, column: 2, endColumn: 4, message: 'm' };
    const painted = renderPretty([diagnostic], { source: () => 'abcd', color: true });
    expect(painted).toBe('f:1:2 \u001b[33mwarning\u001b[0m PS1102 m\n  1 | abcd\n    |  \u001b[33m^^\u001b[0m\n');
  });

  it('measures words by edits, a swap as one, and suggests only what is near', () => {
    expect([distance('', 'abc'), distance('abc', 'acb'), distance('kitten', 'sitting'), distance('same', 'same')]).toEqual([3, 1, 3, 0]);
    expect(didYouMean('priorty', ['name', 'priority'])).toBe('priority');
    expect(didYouMean('Audit-Loger', ['audit_logger'])).toBe('audit_logger');
    expect(didYouMean('zzz', ['name', 'priority'])).toBeUndefined();
    expect(didYouMean('x'.repeat(100_000), ['name'])).toBeUndefined();
  });
});
