import type { Reporter, TestCase, TestModule } from 'vitest/node';
import { readVectors, vectorFolder } from './vectors.js';

const SHOWN = 50;
const LINES = 40;

/** Says which families were not checked, what failed and why, and last `N passed, N failed`. */
export default class GoldenReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const checked = new Map<string, number>();
    for (const test of tests) {
      const family = test.fullName.split(' > ')[0] ?? '';
      checked.set(family, (checked.get(family) ?? 0) + 1);
    }
    for (const file of readVectors(vectorFolder())) {
      const count = file.vectors.length + file.unreadable.length;
      const ran = checked.get(file.family) ?? 0;
      const incidental = file.vectors.filter((vector) => vector.incidental === true).length;
      const left = count - ran - incidental;
      if (ran === 0) console.log(`not checked: ${file.family} (${count})`);
      else if (left > 0) console.log(`not checked: ${file.family}, of what is not served here (${left} of ${count})`);
      if (ran > 0 && incidental > 0) console.log(`information only: ${file.family} (${incidental} of ${count})`);
    }
    const broken = modules.flatMap((module) => module.errors());
    for (const error of broken) console.log(`FAILED ${error.message}`);
    const failures = tests.filter((test) => test.result().state === 'failed');
    for (const test of failures.slice(0, SHOWN)) console.log(failure(test));
    if (failures.length > SHOWN) console.log(`… and ${failures.length - SHOWN} more`);
    const passed = tests.filter((test) => test.result().state === 'passed').length;
    console.log(`${passed} passed, ${failures.length + broken.length} failed`);
  }
}

function failure(test: TestCase): string {
  const message = test.result().errors?.[0]?.message ?? '';
  return `FAILED ${test.fullName}\n${message.split('\n').slice(0, LINES).join('\n')}`;
}
