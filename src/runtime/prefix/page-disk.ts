/** Where pages and marks outlive the engine. Troubles of the disk are its own: nothing here rejects. */
import type { Mark, Page, Parts } from "./page-tree.ts";

export interface PageDisk {
  /** Has the parts, which are in memory, written by and by, and says in `file` when they are. `at`: when they were used. */
  write(memory: Page | Mark, at: Date): void;
  /** Resolves when little enough waits to be written. */
  room(): Promise<void>;
  /** Resolves when all that was asked for so far is written. */
  flush(): Promise<void>;
  /** Undefined for what cannot be read any more. */
  read(memory: Page | Mark): Promise<Parts | undefined>;
  /** They were used then: what was used longest ago gives way first. */
  touch(memories: readonly (Page | Mark)[], at: Date): void;
  /** It gave way to a longer page, or is to be forgotten. */
  remove(memory: Page | Mark): void;
}
