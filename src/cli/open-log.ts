import { type PipelineConfig, topicSettings } from '../config/index.js';
import { PenstockError } from '../diagnostics/index.js';
import { openEmbedded } from '../transport/embedded/index.js';
import type { TopicSpec, Transport } from '../transport/transport.js';
import type { DataDirectory } from './data-directory.js';

/** The log of an installation: the embedded one in the data directory. */
export async function openLog(config: PipelineConfig, data: DataDirectory): Promise<Transport> {
  if (config.brokers.length > 0) {
    throw new PenstockError('PS3001', `this version has no Kafka transport, but ${config.file} names brokers`, {
      category: 'permanent',
      help: 'leave kafka.brokers empty (unset KAFKA_BROKERS) to use the embedded log',
    });
  }
  return openEmbedded({ directory: data.log });
}

/** A topic as the configuration wants it to be made. */
export function topicSpec(config: PipelineConfig, domain: string, name: string, kind: 'work' | 'retry' | 'deadLetter'): TopicSpec {
  const { partitions, retentionMs } = topicSettings(config.perDomain[domain]!.topics, name, kind);
  return retentionMs === undefined ? { name, partitions } : { name, partitions, retentionMs };
}
