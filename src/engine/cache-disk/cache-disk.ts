/**
 * The prefix cache on the disk: pages and marks are written behind the answers, one after another, and read again after a
 * restart. A file that is damaged, cut short or gone is as one that was never written.
 */
import { createHash } from "node:crypto";
import { closeSync, fstatSync } from "node:fs";
import { rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { type Bytes, MiB } from "../../core/units.ts";
import { readFullyLater } from "../../io/byte-source.ts";
import { makeFile } from "../../io/make-file.ts";
import { openForReading } from "../../io/open-file.ts";
import type { PageDisk } from "../../runtime/prefix/page-disk.ts";
import type { Mark, Page, PageTree, Parts } from "../../runtime/prefix/page-tree.ts";
import {
  digestBytes,
  type Entry,
  type EntryOwner,
  entryBytes,
  entryParts,
  fileOf,
  headOf,
  maxHeadBytes,
  nameOf,
  parseHead,
} from "./entry.ts";
import { CacheFolder, partialTarget } from "./folder.ts";

/** What waits in memory to be written; copies out of sequences wait for it. */
const mostWaiting: Bytes = 16 * MiB;
/** Files whose heads are read at once. */
const readersAtOnce = 16;

export class CacheDisk implements PageDisk {
  readonly #owner: EntryOwner;
  readonly #folder: CacheFolder;
  readonly #names = new WeakMap<Page, string>();
  readonly #waiting = new Set<Page | Mark>();
  #waitingBytes: Bytes = 0;
  /** Settles when all that was asked for so far is done; never rejects. */
  #done: Promise<void> = Promise.resolve();
  #trouble: string | undefined;

  private constructor(owner: EntryOwner, folder: CacheFolder) {
    this.#owner = owner;
    this.#folder = folder;
  }

  /** @throws FileAccessError where files cannot be made in the folder */
  static async open(path: string, owner: EntryOwner, maxBytes: Bytes): Promise<CacheDisk> {
    return new CacheDisk(owner, await CacheFolder.open(path, owner.name, maxBytes));
  }

  /** Why something could not be kept; undefined where all could. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Adds to the tree what is on the disk, as far as it has room for the book of it. */
  async load(tree: PageTree): Promise<void> {
    const pages = new Map<string, Page>([[this.#owner.name, tree.root]]);
    this.#names.set(tree.root, this.#owner.name);
    // A mark is in a page, whatever its name.
    const all = await this.#folder.files();
    const files = [...all.filter(isPageFile), ...all.filter((file) => !isPageFile(file))];
    for (let at = 0; at < files.length && !tree.isHalfFull; at += readersAtOnce) {
      const some = files.slice(at, at + readersAtOnce);
      const entries = await Promise.all(some.map((file) => this.#readHead(file)));
      for (const [i, entry] of entries.entries()) {
        const parent = entry && pages.get(entry.parent);
        const file = some[i];
        if (entry === undefined || parent === undefined || file === undefined) continue;
        if (entry.kind === "mark") this.#addMark(tree, parent, { entry, file });
        else this.#addPage(tree, parent, { entry, file, pages });
      }
    }
  }

  write(memory: Page | Mark, at: Date): void {
    const { parts } = memory;
    if (parts === undefined || this.#waiting.has(memory)) return;
    const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
    this.#waiting.add(memory);
    this.#waitingBytes += bytes;
    this.#then(async () => {
      try {
        await this.#write(memory, parts, at);
      } finally {
        this.#waiting.delete(memory);
        this.#waitingBytes -= bytes;
      }
    });
  }

  async room(): Promise<void> {
    if (this.#waitingBytes > mostWaiting) await this.#done;
  }

  async read(memory: Page | Mark): Promise<Parts | undefined> {
    if (memory.file === undefined) return undefined;
    const entry = this.#entryOf(memory);
    const path = join(this.#folder.own, memory.file);
    const whole = entryBytes(this.#owner.kv, entry);
    const bytes = await readFrom(path, (size) => (size === whole ? whole : 0));
    const parts = bytes && this.#partsIn(bytes, entry);
    if (parts === undefined) await rm(path, { force: true }).catch(() => {});
    return parts;
  }

  touch(memories: readonly (Page | Mark)[], at: Date): void {
    this.#then(async () => {
      for (const memory of memories) {
        if (memory.file === undefined) continue;
        const path = join(this.#folder.own, memory.file);
        // Gone: it is written again when it is used next.
        await utimes(path, at, at).catch(() => delete memory.file);
      }
    });
  }

  remove(memory: Page | Mark): void {
    this.#then(async () => {
      if (memory.file !== undefined) await rm(join(this.#folder.own, memory.file), { force: true });
    });
  }

  /** Resolves when all that was asked for so far is on the disk. */
  async flush(): Promise<void> {
    await this.#done;
  }

  #then(work: () => Promise<void>): void {
    this.#done = this.#done.then(work).catch((error: unknown) => {
      this.#trouble ??= error instanceof Error ? error.message : String(error);
    });
  }

  async #write(memory: Page | Mark, parts: Parts, at: Date): Promise<void> {
    const entry = this.#entryOf(memory);
    const file = fileOf(entry);
    const path = join(this.#folder.own, file);
    const bytes = entryBytes(this.#owner.kv, entry);
    if (!this.#folder.fits(bytes)) return;
    const there = await stat(path).catch(() => undefined);
    if (there?.size !== bytes) {
      const pieces = [headOf(this.#owner, entry), ...parts];
      // Not forced onto the disk: what a power cut tears is found by its digest.
      await makeFile(path, withDigest(pieces), {
        partialTarget: partialTarget(this.#folder.own),
        at,
      });
      await this.#folder.added(bytes);
    } else await utimes(path, at, at);
    memory.file = file;
  }

  #partsIn(bytes: Buffer, entry: Entry): Parts | undefined {
    const head = headOf(this.#owner, entry);
    const end = bytes.length - digestBytes;
    if (bytes.length !== entryBytes(this.#owner.kv, entry)) return undefined;
    if (!bytes.subarray(0, head.length).equals(head)) return undefined;
    const own = createHash("sha256").update(bytes.subarray(0, end)).digest();
    if (!bytes.subarray(end).equals(own)) return undefined;
    let from = head.length;
    // Memory of their own: views would take the whole file along to other threads.
    return entryParts(this.#owner.kv, entry).map((part) => {
      from += part.bytes;
      return new Uint8Array(bytes.subarray(from - part.bytes, from));
    });
  }

  async #readHead(file: string): Promise<Entry | undefined> {
    const head = await readFrom(join(this.#folder.own, file), (size) =>
      Math.min(size, maxHeadBytes),
    );
    const entry = head && parseHead(this.#owner, head);
    return entry !== undefined && fileOf(entry) === file ? entry : undefined;
  }

  #addPage(
    tree: PageTree,
    parent: Page,
    found: { readonly entry: Entry; readonly file: string; readonly pages: Map<string, Page> },
  ): void {
    const { entry, file, pages } = found;
    const { tokens, first } = entry;
    if (first !== parent.first + parent.tokens.length) return;
    const page = tree.addPage(parent, { tokens, file, usedAt: 0 }, 0);
    if (page !== undefined) pages.set(nameOf(entry), page);
  }

  #addMark(
    tree: PageTree,
    parent: Page,
    { entry, file }: { readonly entry: Entry; readonly file: string },
  ): void {
    const { page, shared } = tree.nearest(parent, entry.tokens);
    if (page === undefined || shared < entry.tokens.length) return;
    tree.addMark({ page, length: page.first + shared, file, usedAt: 0 }, 0);
  }

  #entryOf(memory: Page | Mark): Entry {
    const page = "page" in memory ? memory.page : memory;
    const { first, parent } = page;
    const before = parent === undefined ? this.#owner.name : this.#nameOf(parent);
    if (!("page" in memory)) return { kind: "page", parent: before, first, tokens: page.tokens };
    const tokens = page.tokens.subarray(0, memory.length - first);
    return { kind: "mark", parent: before, first, tokens };
  }

  #nameOf(page: Page): string {
    const known = this.#names.get(page);
    if (known !== undefined) return known;
    const name = page.parent === undefined ? this.#owner.name : nameOf(this.#entryOf(page));
    this.#names.set(page, name);
    return name;
  }
}

/** The pieces, and the digest of them all. */
function* withDigest(pieces: readonly Uint8Array[]): Generator<Uint8Array, void, undefined> {
  const hash = createHash("sha256");
  for (const piece of pieces) {
    hash.update(piece);
    yield piece;
  }
  yield hash.digest();
}

function isPageFile(file: string): boolean {
  return file.endsWith(".page");
}

/** As many bytes as `wanted` says of its size; undefined for none, and for a file that is not there or no file. */
async function readFrom(path: string, wanted: (size: Bytes) => Bytes): Promise<Buffer | undefined> {
  let descriptor: number;
  try {
    descriptor = openForReading(path);
  } catch {
    return undefined;
  }
  try {
    const bytes = Buffer.alloc(wanted(fstatSync(descriptor).size));
    await readFullyLater(descriptor, { path, offset: 0, bytes });
    return bytes.length > 0 ? bytes : undefined;
  } catch {
    return undefined;
  } finally {
    closeSync(descriptor);
  }
}
