import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { testModule } from '../../../src/testing/vitest.js';
import { builtCommand } from '../../e2e/support/built.js';
import { folderWith, RULES } from './folder.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));

const spec = `title: Rules
config: ../rules.yaml
stage: result_process
messages: { e: { file_type: esx } }
cases:
  - name: an esx goes to its queue
    in: 'e|'
    expect: { out: 'e|', publish esx: 'e' }
  - name: it comes late
    in: 'e|'
    expect:
      out: 'e|'
      publish esx: '---e'
`;

describe('a spec as a test file', () => {
  it('has each case in the line in which it stands', () => {
    const lines = testModule('/x/a.marbles.yaml', spec).split('\n');
    expect(lines[5]).toBe('it("an esx goes to its queue", () => tests.play(0));');
    expect(lines[8]).toBe('it("it comes late", () => tests.play(1));');
    expect(lines[0]).toContain('describe("Rules", () => {');
    expect(lines.at(-1)).toBe('});');
  });

  it('runs again when what is under test changes, or a file that it names', () => {
    const folder = folderWith({
      'own/pipeline.yaml': 'kafka:\n  xact: { plugins: { config_path: "own/rules.yaml" } }\n',
      'own/rules.yaml': RULES,
    });
    const [head] = testModule(join(folder, 'marbles/a.marbles.yaml'), 'config: ../own/pipeline.yaml\ncases: []\n').split('\n');
    expect(head).toContain(`import "${join(folder, 'own/pipeline.yaml')}?raw";`);
    expect(head).toContain(`import "${join(folder, 'own/rules.yaml')}?raw";`);
  });

  it('has one test that tells why where there is no case to be found', () => {
    for (const text of ['', '- [', 'cases: []', 'cases: 3'])
      expect(testModule('/x/a.marbles.yaml', text)).toContain("it('can be read', () => tests.check());");
    expect(testModule('/x/a.marbles.yaml', 'cases: [{}, 3]')).toContain('it("case 2", () => tests.play(1));');
  });

  describe('in the vitest of somebody else', () => {
    beforeAll(() => void builtCommand(), 120_000);

    it('is found beside the usual tests, and fails at its line and column', () => {
      const folder = folderWith({
        'rules.yaml': RULES,
        'marbles/a.marbles.yaml': spec,
        'marbles/b.marbles.yaml': spec.replace('publish esx', 'publsh esx'),
        'own.test.js': "import { it } from 'vitest'; it('is there as well', () => {});",
        'package.json': '{ "type": "module" }',
        'vitest.config.js':
          "import { defineConfig } from 'vitest/config'; import marbles from 'penstock/vitest'; export default defineConfig({ plugins: [marbles()] });",
      });
      mkdirSync(join(folder, 'node_modules'));
      symlinkSync(dirname(dirname(builtCommand())), join(folder, 'node_modules/penstock'));
      symlinkSync(join(root, 'node_modules/vitest'), join(folder, 'node_modules/vitest'));
      const ended = spawnSync(
        process.execPath,
        [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--root', folder, '--reporter=json'],
        {
          cwd: folder,
          encoding: 'utf8',
          env: { PATH: process.env['PATH'] ?? '' },
        },
      );
      if (!ended.stdout.includes('{')) throw new Error(ended.stderr);
      const report = JSON.parse(ended.stdout.slice(ended.stdout.indexOf('{'))) as {
        readonly testResults: readonly {
          readonly name: string;
          readonly assertionResults: readonly {
            readonly fullName: string;
            readonly status: string;
            readonly failureMessages: readonly string[];
          }[];
        }[];
      };
      const tests = report.testResults.flatMap(({ assertionResults }) => assertionResults);
      const named = (name: string) => tests.filter(({ fullName }) => fullName === name);
      expect(named('is there as well').map(({ status }) => status)).toEqual(['passed']);
      expect(
        named('Rules an esx goes to its queue')
          .map(({ status }) => status)
          .toSorted(),
      ).toEqual(['failed', 'passed']);
      const messages = named('Rules it comes late').flatMap(({ failureMessages }) => failureMessages);
      expect(messages).toHaveLength(2);
      expect(messages.join('\n')).toContain('lane "publish esx"');
      expect(messages.join('\n')).toMatch(/at it comes late \(.*a\.marbles\.yaml:13:24\)/);
      expect(messages.join('\n')).toContain('PS5021 there is no lane "publsh esx"');
    }, 120_000);
  });
});
