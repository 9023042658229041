import type { Diagnostic, Path, Place } from '../../diagnostics/index.js';
import type { YamlFile } from '../../config/yaml-file.js';
import type { WrittenLane } from './spec-schema.js';

/** What a letter stands for, as a file says it; its fields are completed for the stage at which it plays. */
export interface SpecMessage {
  readonly letter: string;
  /** Where it stands in the file. */
  readonly path: Path;
  /** Fields that the file says, those of `$like` and `$file` among them. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Every field is said: nothing is completed. */
  readonly whole: boolean;
  readonly stage: string | undefined;
  /** The stage whose messages it is like, where messages of every kind come by. */
  readonly of: string | undefined;
  readonly context: SpecContext;
}

/** What a message's context holds beside it. */
export interface SpecContext {
  readonly data?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly error?: unknown;
  readonly retry_count?: number;
  readonly event_id?: string;
  readonly event_type?: string | null;
  readonly project_id?: string | null;
  readonly worker?: string;
}

/** A change to plugins of the configuration, and where it is said. */
export interface SpecChange {
  readonly plugin: string;
  readonly change: Readonly<Record<string, unknown>>;
  readonly path: Path;
}

/** A lane of a case, and where its marbles stand. */
export interface SpecLane extends WrittenLane {
  readonly name: string;
  readonly path: Path;
}

/** One case of a file, with what the file says for all of its cases. */
export interface SpecCase {
  readonly name: string;
  readonly index: number;
  readonly spec: Spec;
  readonly stage: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly changes: readonly SpecChange[];
  readonly mocks: Readonly<Record<string, string | readonly string[]>>;
  readonly messages: ReadonlyMap<string, SpecMessage>;
  /** `in`, `sub`, then what is expected, in the order of the file. */
  readonly lanes: readonly SpecLane[];
  readonly ignore: readonly string[];
  readonly inFlight: string;
  readonly startAt: number;
}

/** A file of marble specs, read. */
export interface Spec {
  /** Absolute. */
  readonly path: string;
  /** As findings show it. */
  readonly file: string;
  readonly title: string | undefined;
  readonly yaml: YamlFile;
  readonly config: { readonly written: string; readonly path: string } | undefined;
  /** The file holds plugins of its own. */
  readonly inline: boolean;
  readonly domain: string | undefined;
  readonly cases: readonly SpecCase[];
  /** What is wrong with it; with an error no case of it plays. */
  readonly diagnostics: readonly Diagnostic[];
  /** Absolute paths of all files that were read, for watching. */
  readonly files: readonly string[];
}

/** Where a case begins. */
export function caseOf({ spec, index }: SpecCase): Place {
  return spec.yaml.place(['cases', index, 'name']);
}
