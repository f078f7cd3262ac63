/**
 * The folder of the prefix cache: how much is in it, and what goes first where it is too much. Several processes may share
 * one: files come under their names whole, are never changed, and may be gone at any time.
 */
import { mkdirSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Bytes } from "../../core/units.ts";
import { fileAccessError } from "../../io/open-file.ts";
import { removeLeftovers } from "../../io/ownership.ts";
import { checkReplaceable } from "../../io/replace-file.ts";
import { isEntryFile, isOwnerName } from "./entry.ts";

/** What is removed beyond need, so that the folder is not listed for every page. */
const filledTo = 0.9;

interface Listed {
  readonly path: string;
  readonly bytes: Bytes;
  readonly usedAt: number;
}

export class CacheFolder {
  /** Of the files of one owner. */
  readonly own: string;
  readonly #root: string;
  readonly #maxBytes: Bytes;
  #bytes: Bytes = 0;

  private constructor(root: string, own: string, maxBytes: Bytes) {
    this.#root = root;
    this.own = own;
    this.#maxBytes = maxBytes;
  }

  /** Makes the folder where there is none. @throws FileAccessError where files cannot be made in it */
  static async open(root: string, owner: string, maxBytes: Bytes): Promise<CacheFolder> {
    const own = join(root, owner);
    try {
      // Conversations are nobody else's business.
      mkdirSync(own, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw fileAccessError(root, error);
    }
    checkReplaceable(partialTarget(own));
    removeLeftovers(partialTarget(own));
    const folder = new CacheFolder(root, own, maxBytes);
    await folder.makeRoom();
    return folder;
  }

  /** Names of its owner's files, parents before children. */
  async files(): Promise<readonly string[]> {
    return (await readdir(this.own)).filter(isEntryFile).sort();
  }

  fits(bytes: Bytes): boolean {
    return bytes <= filledTo * this.#maxBytes;
  }

  /** A file of so many bytes is there now. */
  async added(bytes: Bytes): Promise<void> {
    this.#bytes += bytes;
    if (this.#bytes > this.#maxBytes) await this.makeRoom();
  }

  /** Removes what was used longest ago; of what was used at once, the ends of conversations first. */
  async makeRoom(): Promise<void> {
    const files = await this.#list();
    this.#bytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
    if (this.#bytes <= this.#maxBytes) return;
    files.sort((a, b) => a.usedAt - b.usedAt || (a.path < b.path ? 1 : -1));
    for (const { path, bytes } of files) {
      if (this.#bytes <= filledTo * this.#maxBytes) return;
      await rm(path, { force: true });
      this.#bytes -= bytes;
    }
  }

  /** Of all owners. */
  async #list(): Promise<Listed[]> {
    const listed: Listed[] = [];
    for (const owner of (await readdir(this.#root)).filter(isOwnerName)) {
      const folder = join(this.#root, owner);
      const files = await readdir(folder).catch(() => []);
      const found = files.filter(isEntryFile).map(async (file) => {
        const path = join(folder, file);
        const facts = await stat(path).catch(() => undefined);
        if (facts !== undefined) {
          listed.push({ path, bytes: facts.size, usedAt: facts.mtimeMs });
        }
      });
      await Promise.all(found);
    }
    return listed;
  }
}

/** What partial files are called after: those of a process that was killed are found by it. */
export function partialTarget(folder: string): string {
  return join(folder, "entry");
}
