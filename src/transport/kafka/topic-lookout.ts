import { PenstockError } from '../../diagnostics/index.js';
import type { TopicDirectory } from './topic-directory.js';

/** Looks which of the topics that a member reads are there, and names those that are not, each time they are others. */
export class TopicLookout {
  private missed = '';

  constructor(
    private readonly directory: Pick<TopicDirectory, 'partitionsOf'>,
    private readonly warn: (error: PenstockError) => void,
  ) {}

  /** `fault`: none of them is there. Rejects when the brokers cannot be asked. */
  async look(topics: readonly string[]): Promise<{ readonly there: readonly string[]; readonly fault: PenstockError | undefined }> {
    const found = await this.directory.partitionsOf(topics);
    const missing = topics.filter((topic) => !found.has(topic));
    if (missing.length > 0 && missing.join() !== this.missed) this.warn(notThere(missing));
    this.missed = missing.join();
    return { there: topics.filter((topic) => found.has(topic)), fault: missing.length === topics.length ? notThere(missing) : undefined };
  }
}

function notThere(topics: readonly string[]): PenstockError {
  const which = topics.length === 1 ? `topic ${topics[0]} is` : `topics ${topics.join(', ')} are`;
  return new PenstockError('PS3008', `${which} not there, or may not be seen`, { category: 'transient' });
}
