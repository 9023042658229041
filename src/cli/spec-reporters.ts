import {
  type CaseResult,
  caseOf,
  placeOfResult,
  placeText,
  type Spec,
  tellCase,
  tellSpec,
  uniqueFindings,
} from '../testing/specs/index.js';
import type { Shell } from './shell.js';

export type ReporterName = 'pretty' | 'json' | 'junit' | 'tap';

export interface Totals {
  readonly passed: number;
  /** Cases, and files that could not be read. */
  readonly failed: number;
  /** Cases that were not asked for. */
  readonly left: number;
  readonly ms: number;
}

/** Tells what became of specs, file by file. */
export interface Reporter {
  begin?(files: number): void;
  file(spec: Spec, results: readonly CaseResult[]): void;
  end(totals: Totals): void;
}

export function reporterFor(name: ReporterName, shell: Shell): Reporter {
  switch (name) {
    case 'pretty':
      return pretty(shell);
    case 'json':
      return json(shell);
    case 'junit':
      return junit(shell);
    case 'tap':
      return tap(shell);
  }
}

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;

function pretty(shell: Shell): Reporter {
  const paint = (code: number, text: string): string => (shell.color ? `\u001b[${code}m${text}\u001b[0m` : text);
  const yes = paint(32, '✓');
  const no = paint(31, '✗');
  return {
    begin: (files) => shell.print(`penstock test  ${count(files, 'file')}\n`),
    file(spec, results) {
      if (spec.diagnostics.length > 0) {
        shell.print([` ${no} ${spec.file}  cannot be played`, ...tellSpec(spec).map((line) => `   ${line}`), ''].join('\n'));
        return;
      }
      const failed = results.filter(({ passed, diagnostics }) => !passed && diagnostics.length === 0);
      const refused = results.filter(({ diagnostics }) => diagnostics.length > 0);
      shell.print(` ${failed.length + refused.length === 0 ? yes : no} ${spec.file}  ${count(results.length, 'case')}`);
      if (refused.length > 0) {
        shell.print(`   ${no} ${count(refused.length, 'case')} cannot be played`);
        const found = { ...spec, diagnostics: uniqueFindings(refused.flatMap(({ diagnostics }) => diagnostics)) };
        shell.print([...tellSpec(found).map((line) => `     ${line}`), ''].join('\n'));
      }
      for (const result of failed) {
        shell.print([`   ${no} ${result.case.name}`, ...tellCase(result).map((line) => `     ${line}`), ''].join('\n'));
      }
    },
    end({ passed, failed, left, ms }) {
      const words = [
        `${passed} passed`,
        ...(failed > 0 ? [paint(31, `${failed} failed`)] : []),
        ...(left > 0 ? [`${left} not asked for`] : []),
      ];
      shell.print(`\n${words.join(', ')}  in ${(ms / 1000).toFixed(2)} s`);
    },
  };
}

function json(shell: Shell): Reporter {
  return {
    file(spec, results) {
      if (spec.diagnostics.length > 0) shell.print(JSON.stringify({ file: spec.file, passed: false, diagnostics: spec.diagnostics }));
      for (const result of results) {
        const { line, column } = caseOf(result.case);
        const problems = result.problems.map(({ place, lane, text, missing, extra }) => ({ ...place, lane, text, missing, extra }));
        const { passed, diagnostics } = result;
        shell.print(
          JSON.stringify({
            file: spec.file,
            line,
            column,
            name: result.case.name,
            passed,
            ms: Math.round(result.ms * 1000) / 1000,
            problems,
            diagnostics,
          }),
        );
      }
    },
    end: ({ passed, failed, left, ms }) => shell.print(JSON.stringify({ passed, failed, left, ms: Math.round(ms) })),
  };
}

/** Text inside XML; what XML cannot hold goes. */
function xml(text: string): string {
  const named: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '').replace(/[&<>"]/g, (sign) => named[sign]!);
}

const seconds = (ms: number): string => (ms / 1000).toFixed(3);

function junit(shell: Shell): Reporter {
  const suites: string[] = [];
  let tests = 0;
  return {
    file(spec, results) {
      const broken = spec.diagnostics.length > 0;
      const cases = results.map((result) => {
        const head = `    <testcase name="${xml(result.case.name)}" classname="${xml(spec.file)}" file="${xml(spec.file)}" line="${caseOf(result.case).line}" time="${seconds(result.ms)}"`;
        if (result.passed) return `${head}/>`;
        const message = xml(result.problems[0]?.text ?? result.diagnostics[0]?.message ?? 'failed');
        return `${head}>\n      <failure message="${message}">${xml(tellCase(result).join('\n'))}</failure>\n    </testcase>`;
      });
      if (broken) {
        const message = xml(spec.diagnostics[0]!.message);
        cases.push(
          `    <testcase name="${xml(spec.file)}" classname="${xml(spec.file)}" time="0.000">\n      <error message="${message}">${xml(tellSpec(spec).join('\n'))}</error>\n    </testcase>`,
        );
      }
      const failures = results.filter(({ passed }) => !passed).length;
      const time = seconds(results.reduce((sum, { ms }) => sum + ms, 0));
      tests += cases.length;
      suites.push(
        `  <testsuite name="${xml(spec.file)}" tests="${cases.length}" failures="${failures}" errors="${broken ? 1 : 0}" time="${time}">\n${cases.join('\n')}\n  </testsuite>`,
      );
    },
    end({ failed, ms }) {
      const head = `<testsuites name="penstock" tests="${tests}" failures="${failed}" time="${seconds(ms)}">`;
      shell.print(['<?xml version="1.0" encoding="UTF-8"?>', head, ...suites, '</testsuites>'].join('\n'));
    },
  };
}

function tap(shell: Shell): Reporter {
  let number = 0;
  const block = (entries: Readonly<Record<string, string>>, lines: readonly string[]): string =>
    [
      '  ---',
      ...Object.entries(entries).map(([key, value]) => `  ${key}: ${JSON.stringify(value)}`),
      '  found: |',
      ...lines.map((line) => `    ${line}`),
      '  ...',
    ].join('\n');
  const escaped = (text: string): string => text.replace(/[\\#]/g, (sign) => `\\${sign}`);
  return {
    begin: () => shell.print('TAP version 14'),
    file(spec, results) {
      if (spec.diagnostics.length > 0) {
        number += 1;
        shell.print(`not ok ${number} - ${escaped(spec.file)}\n${block({}, tellSpec(spec))}`);
      }
      for (const result of results) {
        number += 1;
        const name = `${number} - ${escaped(`${spec.file}: ${result.case.name}`)}`;
        if (result.passed) shell.print(`ok ${name}`);
        else shell.print(`not ok ${name}\n${block({ at: placeText(placeOfResult(result)) }, tellCase(result))}`);
      }
    },
    end: () => shell.print(`1..${number}`),
  };
}
