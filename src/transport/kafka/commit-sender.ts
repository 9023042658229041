import type { EachBatchPayload } from 'kafkajs';
import { PenstockError } from '../../diagnostics/index.js';
import type { Progress } from '../ledger.js';
import type { PartitionName } from '../log-store.js';
import type { CommitRequest } from './commit-path.js';
import { protocolType, REBALANCING, toPenstock } from './failure.js';
import { commitText, type Held } from './held-partition.js';
import { progressText } from './progress-text.js';
import type { Session } from './session.js';

export interface CommitSenderOptions {
  readonly group: string;
  /** How long commits may fail in a row before the session is given up, in milliseconds. */
  readonly patienceMs: number;
  /** What was committed of a partition, to be added to. */
  commitsOf(partition: PartitionName): string[] | undefined;
  /** The session must be made anew. */
  hopeless(error: PenstockError): void;
}

const MOST_COMMITS = 8;
/** How a commit of the client's own is read, when it has gone to the start of the log. */
const STARTED_OVER = commitText({ offset: 0, beyond: new Uint8Array(0) });
const KEEP_PAUSE_MS = 20;

/** Sends offsets under the generation that is current at the call, and finds the coordinator when it has moved. */
export class CommitSender {
  /** The client's own way; it comes with the first records of a session. */
  via: EachBatchPayload['commitOffsetsIfNecessary'] | undefined;
  /** The client commits to a broker that coordinates the group no longer. */
  private strayed = false;
  private failingSince: number | undefined;

  constructor(private readonly options: CommitSenderOptions) {}

  /** A new assignment: the client has asked who coordinates the group. */
  joined(via: EachBatchPayload['commitOffsetsIfNecessary'] | undefined): void {
    this.via = via;
    this.strayed = false;
  }

  /** Nothing may come between the caller's check of its leases and this call. */
  send(request: CommitRequest, session: Session | undefined, fault: PenstockError | undefined): Promise<void> {
    if (this.via === undefined) return Promise.reject(fault ?? notJoined(this.options.group));
    for (const { topic, partitions } of request.topics) {
      for (const { partition, text } of partitions) remember(this.options.commitsOf({ topic, partition }), text);
    }
    // Both are taken before anything is awaited: a generation that comes later may not have these partitions.
    const afresh = session?.commitAfresh();
    const usually = this.strayed && afresh !== undefined ? undefined : this.via(request);
    return this.eitherWay(usually, afresh, request);
  }

  /** The client has written something else in place of what was committed last: it is committed once more. */
  repeat({ topic, partition, commits }: Held, session: Session | undefined): void {
    const text = commits.findLast((each) => each !== STARTED_OVER) ?? STARTED_OVER;
    // Until it is, the group may be seen where the client has put it.
    remember(commits, STARTED_OVER);
    const [offset = '', metadata = ''] = text.split(' ');
    const request = { topics: [{ topic, partitions: [{ partition, offset, metadata, text }] }] };
    // One that fails is made good by the next commit of the partition, which says as much or more.
    this.send(request, session, undefined).catch(() => undefined);
  }

  /** Commits before anything was fetched, when only the way that asks who coordinates the group is there: as soon as the generation is known. */
  async keep(
    places: readonly (PartitionName & { readonly progress: Progress })[],
    session: () => Pick<Session, 'commitAfresh'> | undefined,
    isOver: () => boolean,
  ): Promise<void> {
    const topics = [...new Set(places.map(({ topic }) => topic))].map((name) => ({
      topic: name,
      partitions: places
        .filter(({ topic }) => topic === name)
        .map(({ partition, progress }) => ({ partition, offset: String(progress.offset), metadata: progressText(progress) })),
    }));
    while (!isOver()) {
      const afresh = session()?.commitAfresh();
      try {
        if (afresh !== undefined) return await afresh(topics);
      } catch (error) {
        if (!REBALANCING.has(protocolType(error) ?? '')) throw toPenstock(error, 'offsets cannot be committed');
      }
      await new Promise((resolve) => setTimeout(resolve, KEEP_PAUSE_MS));
    }
  }

  private async eitherWay(
    usually: Promise<void> | undefined,
    afresh: ReturnType<Session['commitAfresh']>,
    { topics }: CommitRequest,
  ): Promise<void> {
    try {
      if (usually !== undefined) await usually;
      else await afresh!([...topics]);
    } catch (error) {
      this.failingSince ??= Date.now();
      if (protocolType(error) !== 'NOT_COORDINATOR_FOR_GROUP' || usually === undefined || afresh === undefined) {
        if (Date.now() - this.failingSince > this.options.patienceMs)
          this.options.hopeless(toPenstock(error, 'offsets cannot be committed'));
        throw error;
      }
      await afresh([...topics]);
      this.strayed = true;
    }
    this.failingSince = undefined;
  }
}

/** A commit whose answer is lost may count as well, so the last few are known. */
function remember(commits: string[] | undefined, text: string): void {
  if (commits === undefined || commits.at(-1) === text) return;
  commits.push(text);
  if (commits.length > MOST_COMMITS) commits.shift();
}

function notJoined(group: string): PenstockError {
  return new PenstockError('PS3001', `group ${group} is not joined`, { category: 'transient' });
}
