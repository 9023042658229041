import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PenstockError } from '../diagnostics/index.js';
import type { FileAsk, FileFailure } from './file-thread.js';
import { type Placed, Placer, type Placing } from './placing.js';
import { openThread } from './thread.js';
import { removeFile, writeWhole, type Writing } from './writing.js';

/**
 * Work on files that may have to wait for the disk: whoever makes or removes a name waits while the journal is written, and so does everybody who
 * looks into the same directory. Rejects with the file system's own errors.
 */
export interface FileWork {
  /** Puts a file under a name, whole and durable. */
  place(placing: Placing): Promise<Placed>;
  /** Writes a small file, whole or not at all; its bytes are used up. `false`: somebody else was writing it too, and was faster. */
  write(writing: Writing): Promise<boolean>;
  /** Removes a file; one that is not there is removed already. */
  remove(path: string): Promise<void>;
}

const THREAD = new URL('./file-thread.js', import.meta.url);

/** File work in a thread of its own, or `here`. Defaults to `thread` where the built file of the thread is there. */
export function openFileWork(run: 'thread' | 'here' = existsSync(fileURLToPath(THREAD)) ? 'thread' : 'here'): FileWork {
  return run === 'thread' ? inThread() : here();
}

function here(): FileWork {
  const placer = new Placer();
  return {
    place: (placing) => placer.place(placing),
    write: async (writing) => Promise.resolve(writeWhole(writing)),
    remove: async (path) => Promise.resolve(removeFile(path)),
  };
}

function inThread(): FileWork {
  const thread = openThread<FileAsk>({
    file: THREAD,
    failed: (failure) => {
      const { errno, message } = failure as FileFailure;
      return Object.assign(new Error(message), { code: errno });
    },
    ended: (cause) => new PenstockError('PS4107', 'the thread that works on files has stopped', { category: 'transient', cause }),
  });
  return {
    place: (placing) => thread.ask({ kind: 'place', placing }),
    write: (writing) => thread.ask({ kind: 'write', writing }, [writing.bytes.buffer as ArrayBuffer]),
    remove: (path) => thread.ask({ kind: 'remove', path }),
  };
}

let shared: FileWork | undefined;

/** The file work of this process: one thread does it for all, started when it is first needed. */
export function sharedFileWork(): FileWork {
  return (shared ??= openFileWork());
}
