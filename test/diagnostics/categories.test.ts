import { describe, expect, it } from 'vitest';
import { CATEGORIES, categoryOf, PenstockError } from '../../src/diagnostics/index.js';
import { deadLetter } from '../../src/runtime/dead-letter.js';
import { decideRetry } from '../../src/runtime/retry-policy.js';
import { createMetrics, workerMeter } from '../../src/observe/index.js';

describe('categories of errors', () => {
  it('C11: are one list: what a failure is, what is decided, counted and kept', async () => {
    expect(deadLetter.shape.error_category.options).toEqual(CATEGORIES);
    const metrics = createMetrics();
    const meter = workerMeter(metrics, 'w');
    for (const category of CATEGORIES) {
      expect(categoryOf(new PenstockError('PS4104', 'x', { category }))).toBe(category);
      meter.failed(category);
    }
    const decisions = CATEGORIES.map((category) => decideRetry({ category, retryCount: 0, delaysMs: [1], random: () => 0 }).action);
    expect(decisions).toEqual(['retry', 'retry', 'dead_letter', 'hold', 'retry']);
    const text = await metrics.text();
    for (const category of CATEGORIES) expect(text).toContain(`category="${category}"`);
  });

  it('C12: are told by codes: no word and no digit in a text decides', () => {
    for (const message of ['event 404 not found', 'HTTP 403 forbidden', 'timeout 503', 'unauthorized', 'connection reset']) {
      expect(categoryOf(new Error(message))).toBe('unknown');
      expect(categoryOf(new PenstockError('PS4104', message, { category: 'auth' }))).toBe('auth');
    }
    for (const thrown of ['404', 404, null, undefined, {}]) expect(categoryOf(thrown)).toBe('unknown');
  });
});
