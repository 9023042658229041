import { expect } from 'vitest';
import { PluginResult } from '../../../src/plugin/index.js';
import { same } from '../compare.js';
import { type Family, fields, list, wanted } from '../family.js';

type Factory = (...args: readonly unknown[]) => PluginResult;

export const family: Family = {
  name: 'plugin-actions',
  skip(vector) {
    const { action, result_factory } = fields(vector.in);
    if (action !== undefined) return 'a connection performs it';
    return result_factory === 'create_claimx_task' ? 'it needs a ClaimX connection' : undefined;
  },
  check(vector) {
    const { result_factory, args, options } = fields(vector.in);
    const name = (result_factory as string).replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const factory = (PluginResult as unknown as Record<string, Factory>)[name];
    expect(factory, name).toBeTypeOf('function');
    const given = fields(options);
    const { success, actions, message, terminate_pipeline } = factory!.apply(PluginResult, [
      ...list(args),
      ...(Object.keys(given).length === 0 ? [] : [given]),
    ]);
    same({ success, actions, message, terminate: terminate_pipeline }, wanted(vector));
  },
};
