import { of, tap } from 'rxjs';
import { deliveries } from '../../../operators/index.js';
import { PenstockError } from '../../../src/diagnostics/index.js';
import {
  type Action,
  defineOpenPlugin,
  messages,
  performActions,
  PluginRegistry,
  PluginResult,
} from '../../../src/plugin/index.js';
import { same } from '../compare.js';
import { type Family, fields, list, wanted } from '../family.js';
import { contextOfVector } from '../plugin-vector.js';

const STAGES = ['event_ingest', 'enrichment_complete', 'dlq'];

interface Entry {
  readonly plugin: string;
  readonly success: boolean;
}

export const family: Family = {
  name: 'plugin-orchestrator',
  async check(vector) {
    const { plugins_in_registration_order, context } = fields(vector.in);
    const given = contextOfVector(context);
    const ran: Entry[] = [];
    let withoutEffect = 0;
    let done = 0;
    const registry = new PluginRegistry(given.domain, STAGES);
    for (const written of list(plugins_in_registration_order).map(fields)) {
      const actions = list(written['actions']) as readonly Action[];
      const plugin = defineOpenPlugin({
        name: written['name'] as string,
        version: '1.0.0',
        summary: 'As recorded.',
        reads: messages(),
        priority: (written['priority'] as number | undefined) ?? 100,
        create: () => () => {
          if (written['raises'] === true) {
            ran.push({ plugin: written['name'] as string, success: false });
            throw new Error('as recorded');
          }
          const success = (written['success'] as boolean | undefined) ?? true;
          ran.push({ plugin: written['name'] as string, success });
          withoutEffect += actions.filter(({ type }) => type === 'add_header' || type === 'filter').length;
          const message = (written['message'] as string | undefined) ?? null;
          return new PluginResult({ success, actions, message, terminate_pipeline: written['terminate'] === true });
        },
      });
      const names = (name: string) => (written[name] === undefined ? {} : { [name]: written[name] as readonly string[] });
      registry.register(
        plugin(undefined, {
          ...names('domains'),
          ...names('stages'),
          ...names('event_types'),
          ...(written['conditions'] === undefined ? {} : { conditions: written['conditions'] }),
        }),
      );
    }
    const published: unknown[] = [];
    let reason: string | null = null;
    let headers: Readonly<Record<string, string>> = given.headers;
    await new Promise<void>((resolve) => {
      of(given)
        .pipe(
          deliveries({
            onLeft(_, outcome, why) {
              if (outcome === 'filtered') reason = why!.replace(/^\w+: /, '');
            },
          }),
          registry.chains().stage(given.stage).operator,
          tap((delivery) => (headers = delivery.value.context.headers)),
          performActions({
            publish({ params: { topic, key, headers: sent, payload } }) {
              if (topic === 'failing') return Promise.reject(new Error('as recorded'));
              published.push({ topic, key, headers: sent, payload });
              return Promise.resolve();
            },
            log: () => undefined,
            metric: () => undefined,
            retry: { attempts: 1, base: 1, cap: 1 },
            onActionFailed(planned, error) {
              if (error instanceof PenstockError && error.message.includes('not begun')) return;
              const after = ran.findLastIndex(({ plugin }) => plugin === planned.plugin);
              ran.splice(after + 1, 0, { plugin: planned.plugin, success: false });
            },
            onDone: () => (done += 1),
          }),
        )
        .subscribe({ complete: resolve });
    });
    same(
      {
        results: ran,
        actions_executed: done + withoutEffect,
        terminated: reason !== null,
        termination_reason: reason,
        success_count: ran.filter(({ success }) => success).length,
        failure_count: ran.filter(({ success }) => !success).length,
        published,
        headers_after: headers,
      },
      wanted(vector),
    );
  },
};
