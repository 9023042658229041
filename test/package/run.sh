#!/usr/bin/env bash
# What `npm pack` makes is installed in a folder of its own and used there: the command, the doors, the types.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0
check() { if "${@:2}" >"$work/out" 2>&1; then passed=$((passed + 1)); echo "ok   $1"; else failed=$((failed + 1)); echo "FAIL $1"; tail -n 20 "$work/out"; fi; }

tarball=$(npm pack --silent --pack-destination "$work" | tail -n 1)
cd "$work"
mkdir elsewhere && cd elsewhere
npm init -y >/dev/null
check "installs from the tarball" npm install --silent --no-audit --no-fund "../$tarball" "typescript@$(node -p "require('$root/package.json').devDependencies.typescript")" "@types/node@$(node -p "require('$root/package.json').devDependencies['@types/node']")"

# Its peers are what npm 10 must be able to place, and Node 20 and 22 come with it.
mkdir ../tenth
check "installs with npm 10" bash -c "cd ../tenth && npm exec --yes npm@10.8.2 -- install --silent --no-audit --no-fund --ignore-scripts '../$tarball' && test -d node_modules/rxjs"

cat >doors.mjs <<'JS'
import { deliveries, filterOut, values } from 'penstock/operators';
import { chain, contexts, definePlugin, performActions } from 'penstock/plugin';
import { eventFilter } from 'penstock/plugins/event-filter';
import * as worker from 'penstock/workers/xact-result-processor';
import * as testing from 'penstock/testing';
import marbleSpecs from 'penstock/vitest';
import { from, lastValueFrom, toArray } from 'rxjs';

for (const made of [chain, contexts, definePlugin, performActions, eventFilter, testing.marbles, marbleSpecs, ...Object.values(worker)]) {
  if (typeof made !== 'function' && typeof made !== 'object') throw new Error('a door is empty');
}
const left = await lastValueFrom(from([1, 2, 3]).pipe(deliveries(), filterOut((n) => n === 2, 'two'), values(), toArray()));
if (left.join() !== '1,3') throw new Error(`expected 1,3, found ${left}`);
JS
check "every door opens" node doors.mjs

cat >doors.ts <<'TS'
import { deliveries, type Outcome } from 'penstock/operators';
import { definePlugin, skip, z } from 'penstock/plugin';
import { failureAlerter } from 'penstock/plugins/failure-alerter';

export const quiet = definePlugin({ name: 'quiet', version: '1.0.0', summary: 'Says nothing.', domains: ['xact'], stages: ['result_process'], config: z.strictObject({}), create: () => () => skip('quiet') });
export const outcome: Outcome = 'delivered';
export const made = [deliveries(), failureAlerter()];
// @ts-expect-error an unknown key is an error at the call
export const wrong = failureAlerter({ topics: 'x' });
TS
cat >law.mjs <<'JS'
import { settlesEach } from 'penstock/testing';
import { filterOut } from 'penstock/operators';

await settlesEach(() => filterOut(({ value }) => value === 1, 'one'));
JS
check "the law says what it needs" bash -c "! node law.mjs 2>law.err && grep -q \"Cannot find package 'fast-check'\" law.err"
check "the law is checked where fast-check is installed" bash -c "npm install --silent --no-audit --no-fund 'fast-check@$(node -p "require('$root/package.json').devDependencies['fast-check']")' && node law.mjs"

cat >alerts.test.mjs <<'JS'
import { failureAlerter } from 'penstock/plugins/failure-alerter';
import { marbleTest, xactContext } from 'penstock/testing';

marbleTest('a lasting failure alerts', (t) => {
  t.in('f|', { f: xactContext({ status: 'failed_permanent', retry_count: 4 }) });
  t.expect(failureAlerter()).out('f|').publish('xact.alerts.failures', 'f');
});
JS
check "a marble test runs in Node's own runner" bash -c "node --test alerts.test.mjs | grep -q '^# pass 1'"
check "the contract of transports says what it needs" bash -c "! node -e \"import('penstock/testing/contract')\" 2>contract.err && grep -q \"Cannot find package 'vitest'\" contract.err"

check "the types hold" npx tsc --noEmit --strict --module nodenext --target es2022 --skipLibCheck doors.ts

check "the command answers" npx penstock --version
check "the main job runs" bash -c "npx penstock dev --events 60 --seed 7 --json --data data >run.out && node -e \"const r=JSON.parse(require('fs').readFileSync('run.out','utf8').trim().split('\\n').pop()); if(!(r.entered>0 && r.entered===Object.values(r.left).reduce((a,b)=>a+b))) throw new Error(JSON.stringify(r))\""
mkdir marbles
cat >marbles/esx.marbles.yaml <<'YAML'
# yaml-language-server: $schema=../node_modules/penstock/schema/marbles.json
config: node_modules/penstock/config/xact_plugins.yaml
stage: result_process
messages: { e: { file_type: ESX } }
cases:
  - name: an ESX goes to its queue
    in: 'e|'
    expect: { out: 'e|', publish xact.esx.processing: 'e' }
YAML
check "a spec of the shipped rules is played" bash -c "npx penstock test | grep -q '^1 passed'"
check "a spec that does not hold ends with 1" bash -c "sed -i \"s/processing: 'e'/processing: '-e'/\" marbles/esx.marbles.yaml && ! npx penstock test >spec.out && grep -q 'marbles/esx.marbles.yaml:8:57' spec.out"
check "the shipped configuration is sound" npx penstock check --data data

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
