import { countLine, renderPretty, type Diagnostic, type RenderOptions } from '../diagnostics/index.js';
import type { CheckedPipeline } from './check-pipeline.js';

/** What `check` prints for people: four lines of what was looked at, then the findings, then how many. */
export function checkReport(
  checked: CheckedPipeline,
  configPath: string,
  { color = false, denyWarnings = false }: Pick<RenderOptions, 'color'> & { readonly denyWarnings?: boolean } = {},
): string {
  const of = (codes: RegExp) => verdict(checked.diagnostics.filter(({ code }) => codes.test(code)));
  const rows: (readonly [string, string, string])[] = [
    ['config', configLine(checked), of(/^PS1[012]/)],
    ['env', envLine(checked), of(/^PS13/)],
    [
      'rules',
      `${count(checked.rules.conditions, 'condition')} checked against ${count(checked.rules.schemas, 'message schema')}`,
      of(/^PS14|^PS210[127]/),
    ],
    ['topology', topologyLine(checked), of(/^PS210[34]/)],
  ];
  const width = Math.max(...rows.map(([, text]) => text.length));
  const head = rows.map(([name, text, result]) => `  ${name.padEnd(8)} ${text.padEnd(width)}   ${result}`);
  const findings = renderPretty(checked.diagnostics, { color, source: (file) => checked.sources.get(file) });
  const warned = checked.diagnostics.some(({ severity }) => severity === 'warning');
  const hint = warned && !denyWarnings ? '  --deny-warnings would fail.' : '';
  return `penstock check  ${configPath}\n\n${head.join('\n')}\n\n${findings === '' ? '' : `${findings}\n`}${countLine(checked.diagnostics)}${hint}\n`;
}

function verdict(diagnostics: readonly Diagnostic[]): string {
  const errors = diagnostics.filter(({ severity }) => severity === 'error').length;
  const warnings = diagnostics.filter(({ severity }) => severity === 'warning').length;
  const parts = [...(errors > 0 ? [count(errors, 'error')] : []), ...(warnings > 0 ? [count(warnings, 'warning')] : [])];
  return parts.length === 0 ? 'ok' : parts.join(', ');
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

function configLine({ files, entries, plugins, setAside }: CheckedPipeline): string {
  const notes = [
    ...(plugins.disabled > 0 ? [`${plugins.disabled} disabled`] : []),
    ...(setAside.length > 0 ? [`${setAside.length} not run here`] : []),
  ];
  const total = plugins.enabled + plugins.disabled + setAside.length;
  const noted = notes.length === 0 ? '' : ` (${notes.join(', ')})`;
  return `${count(files.length, 'file')}, ${count(Object.keys(entries).length, 'domain')}, ${count(total, 'plugin')}${noted}`;
}

function envLine({ variables, diagnostics }: CheckedPipeline): string {
  const missing = diagnostics.filter(({ code }) => code === 'PS1301').length;
  const byDefault = variables.filter(({ fallback }) => fallback);
  const parts = [
    `${variables.length - byDefault.length} set`,
    ...(byDefault.length > 0 ? [`${byDefault.length} by default (${few(byDefault)})`] : []),
    ...(missing > 0 ? [`${missing} missing`] : []),
  ];
  return variables.length + missing === 0
    ? 'no variables used'
    : `${count(variables.length + missing, 'variable')} used: ${parts.join(', ')}`;
}

/** Some names, and a sign that there are more. */
function few(variables: readonly { readonly name: string }[]): string {
  const names = variables.slice(0, 3).map(({ name }) => name);
  return [...names, ...(variables.length > 3 ? ['…'] : [])].join(', ');
}

function topologyLine({ topology }: CheckedPipeline): string {
  const lines = topology.map(({ domain, incoming, outgoing }) => `${domain}: ${incoming.length} in, ${outgoing.length} out`);
  return lines.length === 0 ? 'no domain runs here' : lines.join(' · ');
}
