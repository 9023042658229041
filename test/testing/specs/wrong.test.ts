import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { builtIns } from '../../../plugins/index.js';
import { checkCase, Configurations, readSpec, runCase } from '../../../src/testing/specs/index.js';
import { faults, folderWith, RULES } from './folder.js';

const head = (lines: string) => `config: rules.yaml
stage: result_process
messages: { e: { file_type: esx }, p: {} }
cases:
  - name: one
    in: 'e|'
    ${lines}
`;

const expecting = (lane: string) => head(`expect: { ${lane} }`);

/** Files that are wrong, and every finding about them. */
const WRONG: readonly (readonly [what: string, text: string, findings: readonly (string | RegExp)[]])[] = [
  ['nothing', '', [/^1:1 PS5026 the file is empty/]],
  ['no map', 'x', [/^1:1 PS1104 the spec must be a map/]],
  ['no cases', 'config: rules.yaml\n', [/^1:1 PS1101 the spec needs the key "cases"/]],
  ['an empty list of cases', 'config: rules.yaml\ncases: []\n', [/^2:8 PS5026 the file has no case/]],
  [
    'nothing under test',
    "stage: result_process\nmessages: { e: {} }\ncases: [{ name: a, in: 'e|' }]\n",
    [/^1:1 PS1101 the spec says not what is under test/],
  ],
  ['config twice', head('ignore: []').replace('stage:', 'plugins: []\nstage:'), [/^2:1 PS5001 the spec has config and plugins/]],
  ['an indent', 'config: rules.yaml\ncases:\n  - name: x\n     in: y\n', [/^\d+:\d+ PS1001 /]],
  ['a tab', 'config: rules.yaml\ncases:\n\t- name: x\n', [/PS1001 this line is indented by a tab/]],
  ['an unknown key', head('expct: {}'), [/^7:5 PS1103 a case has no key "expct" = did you mean "expect"\?/]],
  ['an unknown lane', expecting("outt: 'e|'"), [/^7:15 PS5021 there is no lane "outt" = did you mean "out"\?/]],
  ['a webhook without method', expecting('webhook https://x.y: e'), [/^7:15 PS5021 .*= write "webhook POST https:\/\/x\.y"/]],
  ['a topic that is none', expecting('publish: e'), [/^7:15 PS5021 the lane "publish" names not a topic/]],
  ['in among what is expected', expecting("in: 'e|'"), [/^7:15 PS5021 "in" is what happens to the rule/]],
  ['the commits of a worker', expecting('commit: e'), [/^7:15 PS5021 the lane "commit" is a worker's/]],
  [
    'a letter without message',
    expecting("out: '-e-z|'"),
    [/^7:24 PS5022 no message is called "z" = add it under messages, or draw e or p/],
  ],
  ['a letter that is not drawn', expecting('publish esx: { marbles: e, content: { p: {} } }'), [/^7:53 PS5022 the lane does not draw "p"/]],
  ['time in a group', expecting("out: '(e-p)|'"), [/^7:23 PS5001 lane "out": time does not pass inside a group/]],
  ['a group that stays open', expecting("out: 'e(p|'"), [/^7:22 PS5001 lane "out": a group is not closed/]],
  ['a group that was not opened', expecting("out: 'ep)|'"), [/^7:23 PS5001 lane "out": a group closes that was not opened/]],
  ['something after the end', expecting("out: 'e|p'"), [/^7:23 PS5001 lane "out": "p" comes after the end "\|"/]],
  ['a duration at the end', expecting("out: 'e 5ms'"), [/^7:23 PS5001 lane "out": the duration 5ms at the end/]],
  ['a lane without marbles', expecting('out: { tolerance: 2ms }'), [/^7:20 PS1101 a lane needs the key "marbles"/]],
  ['a tolerance without unit', expecting("out: { marbles: 'e|', tolerance: soon }"), [/^7:48 PS1105 tolerance must be a duration/]],
  [
    'an unknown field',
    head('messages: { q: { file_typ: esx } }').replace("'e|'", "'q|'"),
    [/^7:22 PS5023 a message of result_process has no field "file_typ" = did you mean "file_type"\?/],
  ],
  [
    'an impossible value',
    head('messages: { q: { status: fialed } }').replace("'e|'", "'q|'"),
    [/^7:30 PS5023 status must be completed, failed or failed_permanent = did you mean "failed"\?/],
  ],
  [
    'a value of another type',
    head('messages: { q: { retry_count: many } }').replace("'e|'", "'q|'"),
    [/^7:35 PS5023 retry_count must be a number, this is the text "many"/],
  ],
  ['a long letter', head('messages: { long: {} }'), [/^7:17 PS5001 a letter is one sign/]],
  ['a sign of lanes as a letter', head("messages: { '-': {} }"), [/^7:17 PS5001 a letter is one sign/]],
  ['a word that is none', head('messages: { q: { $lik: e } }'), [/^7:22 PS5001 a message has no "\$lik" = did you mean "\$like"\?/]],
  ['like nothing', head('messages: { q: { $like: z } }'), [/^7:29 PS5022 there is no message "z"/]],
  ['like itself', head('messages: { q: { $like: r }, r: { $like: q } }'), [/PS5001 "q" is like itself/]],
  [
    'a file that is not there',
    head('messages: { q: { $file: no.json } }'),
    [/^7:29 PS1002 no\.json cannot be read: there is no such file/],
  ],
  ['a file that is no JSON', head('messages: { q: { $file: rules.yaml } }'), [/^7:29 PS1002 rules\.yaml is not JSON/]],
  ['a context that is wrong', head('messages: { q: { $context: { retry: 1 } } }'), [/^7:34 PS1103 \$context has no key "retry"/]],
  [
    'no stage',
    head('ignore: []').replace('stage: result_process\n', ''),
    [/^2:13 PS5001 the case "one" does not say at which stage "e" is/],
  ],
  ['an unknown stage', head('stage: result_proces'), [/^7:12 PS5001 xact has no stage "result_proces" = did you mean "result_process"\?/]],
  ['an unknown stage of a message', head('messages: { q: { $stage: x } }').replace("'e|'", "'q|'"), [/^7:30 PS5001 xact has no stage "x"/]],
  [
    'an unknown plugin',
    head('with: { plugins: { esx_procesor: { enabled: false } } }'),
    [/^7:24 PS5024 rules\.yaml has no plugin called "esx_procesor" = did you mean "esx_processor"\?/],
  ],
  [
    'an unknown key of a plugin',
    head('with: { plugins: { esx_processor: { enabld: false } } }'),
    [/^7:41 PS1103 a plugin entry has no key "enabld" = did you mean "enabled"\?/],
  ],
  [
    'a config that the plugin refuses',
    head('with: { plugins: { failure_alerter: { config: { min_retries: -1 } } } }'),
    [/^7:66 PS1105 min_retries must be at least 0/],
  ],
  [
    'a condition that is wrong',
    head("with: { plugins: { esx_processor: { when: 'status == 3' } } }"),
    [/^7:48 PS1401 this condition compares string with int/],
  ],
  [
    'a mock of nothing',
    head('mocks: { webhok POST x: ok }'),
    [/^7:14 PS5025 mock "webhok POST x": only .* = did you mean "webhook POST x"\?/],
  ],
  [
    'an answer that is none',
    head('mocks: { publish x: [ok, 5ms 50] }'),
    [/^7:30 PS5025 mock "publish x": an answer is .*; this is "5ms 50"/],
  ],
  ['an unknown domain', head('ignore: []').replace('stage:', 'domain: xct\nstage:'), [/^2:9 PS1102 domain must be xact/]],
  [
    'a configuration that is not there',
    head('ignore: []').replace('rules.yaml', 'ruls.yaml'),
    [/^1:9 PS1002 ruls\.yaml cannot be read: there is no such file/],
  ],
  [
    'a folder in the place of the configuration',
    head("expect: { out: 'e|' }").replace('rules.yaml', '.'),
    [/^1:9 PS1002 \. cannot be read: it is a folder/],
  ],
  ['two cases of one name', head("ignore: []\n  - name: one\n    in: 'p|'"), [/^8:11 PS5001 two cases are called "one"/]],
  ['a variable that is not set', head('ignore: []').replace("'e|'", "'${IN}'"), [/^6:10 PS1301 environment variable IN is not set/]],
  ['a start that is no time', head('start: tomorrow'), [/^7:12 PS1105 start must be a time/]],
  [
    'several things at once',
    head("expct: {}\n    expect: { outt: 'z|', out: '(e' }"),
    [/PS1103 a case has no key "expct"/, /PS5021 there is no lane "outt"/, /PS5022 no message is called "z"/, /a group is not closed/],
  ],
];

describe('a spec that is wrong', () => {
  it.each(WRONG)('is told with its place: %s', async (_, text, findings) => {
    const found = await faults(text);
    expect(found.length, found.join('\n')).toBe(findings.length);
    findings.forEach((finding, at) => expect(found[at]).toMatch(finding));
  });

  it('is told at the configuration where that is wrong, once for all cases', async () => {
    const text = head("expect: { out: 'e|' }\n  - name: two\n    in: 'p|'");
    expect(await faults(text, { 'rules.yaml': 'plugins:\n  - name: esx_procesor\n' })).toEqual([
      expect.stringMatching(/^2:11 PS1203 no plugin is called "esx_procesor" = did you mean "esx_processor"/),
    ]);
  });

  it('is told as findings or as a failed case whatever somebody types: nothing of it is thrown', async () => {
    const whole = `title: Rules
config: rules.yaml
stage: result_process
env: { A: b }
mocks: { publish alerts: [2ms ok, 5ms 503] }
messages:
  e: { file_type: esx, $context: { headers: { a: b }, retry_count: 1 } }
  f: { $like: e, status: failed_permanent, retry_count: 3 }
  t: { $stage: event_ingest, type: test.x, data: { attachments: [a, b] } }
cases:
  - name: one
    with: { plugins: { failure_alerter: { config: { min_retries: 3 } } } }
    in: 'e-(f)-t 5ms |'
    expect:
      out: { marbles: 'e-(f)--- 4ms |', tolerance: 2ms, content: { e: { a: 1 } } }
      publish esx: 'e'
`;
    const folder = folderWith({ 'rules.yaml': RULES });
    const path = join(folder, 'a.marbles.yaml');
    const configurations = new Configurations({ catalogue: builtIns, cwd: folder });
    const typed = fc.constantFrom(
      '',
      ' ',
      '\n',
      '  ',
      ':',
      '- ',
      '{',
      '}',
      '[',
      ']',
      "'",
      '"',
      '|',
      '#',
      '!',
      '&a',
      '*a',
      '-',
      '(',
      ')',
      '^',
      '3',
      'null',
      '${X}',
      '$like',
      'é',
      '\u0000',
      '\t',
      '~',
      '? ',
      '<<: ',
    );
    const edit = fc.record({ at: fc.nat(whole.length), gone: fc.nat(12), text: typed });
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
        writeFileSync(
          path,
          edits.reduce((text, { at, gone, text: added }) => text.slice(0, at) + added + text.slice(at + gone), whole),
        );
        const spec = await readSpec(path, { cwd: folder });
        for (const { message, line } of spec.diagnostics)
          expect([typeof message, line === undefined || line > 0]).toEqual(['string', true]);
        if (spec.cases.length === 0) expect(spec.diagnostics.length).toBeGreaterThan(0);
        for (const one of spec.cases) {
          if (spec.diagnostics.length > 0) await checkCase(one, { configurations });
          else await runCase(one, { configurations });
        }
      }),
      { numRuns: 300 },
    );
  }, 60_000);
});
