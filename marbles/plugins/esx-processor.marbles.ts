import { describe, it } from 'vitest';
import { esxProcessor } from '../../plugins/esx-processor.js';
import { marbles } from '../../src/testing/index.js';
import { result } from './download-result.js';
import { keepsTheLaw } from './plugin-law.js';

const values = {
  e: result({ file_type: 'ESX' }),
  l: result({ file_type: 'esx' }),
  p: result(),
  f: result({ file_type: 'ESX', status: 'failed_permanent' }),
};

describe('esx_processor', () => {
  it('publishes completed ESX files, whatever the case of their type', () =>
    marbles(
      esxProcessor(),
      `
      in                           -e-l-p-f-|
      out                          -e-l-p-f-|
      publish xact.esx.processing  -e-l------
      `,
      { values, context: {} },
    ));
  it('publishes to each topic of a list', () =>
    marbles(esxProcessor({ topic: ['a', 'b'] }), { in: 'e|', out: 'e|', 'publish a': 'e', 'publish b': 'e' }, { values, context: {} }));
  it('keeps the law', () => keepsTheLaw(() => esxProcessor()));
});
