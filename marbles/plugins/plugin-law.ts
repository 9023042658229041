import fc from 'fast-check';
import { mapEach } from '../../operators/index.js';
import { contexts, type PluginOperator } from '../../src/plugin/index.js';
import { type LawItem, settlesEach } from '../../src/testing/index.js';

/** Results of downloads as they come, and some that nobody would expect. */
const anyMessage = fc.oneof(
  fc.record({
    trace_id: fc.string(),
    status: fc.constantFrom('completed', 'failed', 'failed_permanent'),
    file_type: fc.constantFrom('esx', 'ESX', 'pdf'),
    status_subtype: fc.constantFrom('estimateCreated', 'documentsReceived', '__proto__'),
    retry_count: fc.nat(8),
  }),
  fc.constantFrom(null, undefined, 7, 'text', [], {}),
);

/** A plugin keeps the law, whatever message it is given. */
export function keepsTheLaw(plugin: () => PluginOperator<never>): Promise<void> {
  return settlesEach<unknown>(
    () => (items$) =>
      items$.pipe(
        mapEach((item: LawItem<unknown>) => item.value),
        contexts({
          domain: 'xact',
          stage: 'result_process',
          event_id: (message: unknown) => String(message),
          event_type: (message: unknown) => (typeof message === 'object' ? null : String(message)),
          data: (message: unknown) => ({ status_subtype: (message as { status_subtype?: unknown } | null)?.status_subtype }),
        }),
        plugin() as PluginOperator,
      ),
    { arbitrary: anyMessage, maxHeld: 1, runs: 50 },
  );
}
