import { errnoOf } from './durable-file.js';
import { Placer, type Placing } from './placing.js';
import { answerAsks } from './thread-side.js';
import { removeFile, writeWhole, type Writing } from './writing.js';

/** What the thread is asked. */
export type FileAsk =
  | { readonly kind: 'place'; readonly placing: Placing }
  | { readonly kind: 'write'; readonly writing: Writing }
  | { readonly kind: 'remove'; readonly path: string };

/** A file system's error as it passes between threads, which keep no fields of an error's own. */
export interface FileFailure {
  readonly errno: string | undefined;
  readonly message: string;
}

const placer = new Placer();

answerAsks<FileAsk>({
  answer: (ask) => {
    switch (ask.kind) {
      case 'place':
        return placer.place(ask.placing);
      case 'write':
        return writeWhole(ask.writing);
      case 'remove':
        return removeFile(ask.path);
    }
  },
  failure: (error): FileFailure => ({ errno: errnoOf(error), message: error instanceof Error ? error.message : String(error) }),
});
