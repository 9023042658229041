import { didYouMean } from '../../diagnostics/index.js';

const PLAIN = ['out', 'filtered', 'failed', 'delivered', 'retried', 'dead_lettered', 'released', 'log', 'header', 'email'] as const;
const ADDRESSED = ['publish', 'webhook', 'metric'] as const;
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** What the names of expected lanes look like, for editors. */
export const LANE_PATTERN = `^(?:${[...PLAIN, 'publish \\S+', `webhook (?:${METHODS.join('|')}) \\S+`, 'metric \\S+'].join('|')})$`;

/** What is wrong with the name of an expected lane, and what to write instead; undefined when there is such a lane. */
export function laneFault(name: string): { readonly message: string; readonly help: string } | undefined {
  if ((PLAIN as readonly string[]).includes(name)) return undefined;
  const [kind, ...rest] = name.split(' ');
  const address = rest.join(' ');
  if (kind === 'publish' || kind === 'metric') {
    const what = kind === 'publish' ? 'a topic' : 'a metric';
    if (/^\S+$/.test(address)) return undefined;
    return { message: `the lane "${name}" names ${address === '' ? `not ${what}` : `more than ${what}`}`, help: `write "${kind} <name>"` };
  }
  if (kind === 'webhook') {
    const [method = '', target = ''] = rest;
    if (METHODS.includes(method) && target !== '' && rest.length === 2) return undefined;
    const meant = /^[a-z]+:\/\//.test(method) ? `webhook POST ${method}` : `webhook ${method.toUpperCase()} ${target}`;
    return { message: `the lane "${name}" names no method and address`, help: `write "${meant.trim()}"` };
  }
  if (name === 'in' || name === 'sub') {
    return { message: `"${name}" is what happens to the rule, not what it does`, help: `put "${name}:" beside "expect:"` };
  }
  if (name === 'commit') return { message: 'the lane "commit" is a worker\'s: a chain commits nothing', help: 'draw the worker in code' };
  const near = didYouMean(kind!, [...PLAIN, ...ADDRESSED]);
  const words = `lanes are ${PLAIN.join(', ')}, publish <topic>, webhook <METHOD> <url>, metric <name>`;
  return {
    message: `there is no lane "${name}"`,
    help: near === undefined ? words : `did you mean "${[near, ...rest].join(' ')}"?\n${words}`,
  };
}
