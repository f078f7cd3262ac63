/**
 * Conversations that left their sequences, in memory: what the layers remembered of them is copied out page by page, and
 * into a sequence again when a prompt begins as they did. Copies are cut in pieces, between which steps run.
 */
import type { Bytes, Tokens } from "../../core/units.ts";
import { type KvShape, keepsCheckpoints } from "../../ops/kv-shape.ts";
import { markParts, pageParts, type StatePart } from "../../ops/state-parts.ts";
import type { Session } from "../session.ts";
import type { PageDisk } from "./page-disk.ts";
import {
  type Found,
  type Mark,
  mostBookBytes,
  type Page,
  PageTree,
  type Parts,
  pageTokens,
} from "./page-tree.ts";

/** What is copied, piece by piece: the bytes of each. Ends with the tokens that were copied. */
export type Copy = AsyncGenerator<Bytes, Tokens, undefined>;

export class PrefixCache {
  readonly #kv: KvShape;
  readonly #tree: PageTree;
  /** Whether layers forget, so that only marks can be gone on from. */
  readonly #needsMarks: boolean;
  readonly #disk: PageDisk | undefined;

  /** For sequences of this shape; takes at most `maxBytes` of memory. */
  constructor(kv: KvShape, maxBytes: Bytes, disk?: PageDisk) {
    this.#kv = kv;
    this.#needsMarks = kv.layers.some((layer) => keepsCheckpoints(layer, kv.contextLength));
    this.#tree = new PageTree(maxBytes, this.#needsMarks);
    this.#disk = disk;
  }

  /** Of memory that is taken. */
  get bytes(): Bytes {
    return this.#tree.bytes;
  }

  /** For whoever knows what is on the disk: it adds that. */
  get tree(): PageTree {
    return this.#tree;
  }

  /** Whether it is for sequences of this shape. */
  isOf({ layers, contextLength, type }: KvShape): boolean {
    const { layers: own, ...kv } = this.#kv;
    const isSame = contextLength === kv.contextLength && type === kv.type;
    return isSame && JSON.stringify(layers) === JSON.stringify(own);
  }

  /** What is remembered of a prompt. Its last token is always read: its logits are what the answer starts from. */
  find(prompt: readonly number[]): Found {
    return this.#tree.find(prompt, prompt.length - 1);
  }

  /**
   * Copies a sequence out, which nobody writes in meanwhile: what is not remembered yet, from its beginning on, as far as
   * there is room. May be left after any piece.
   */
  async *keep(session: Session, sequence: number): Copy {
    const tree = this.#tree;
    const job: Job = { since: tree.tick(), at: new Date() };
    const { since } = job;
    const tokens = session.cache.tokens(sequence).slice();
    let parent = tree.root;
    const pages: Page[] = [];
    for (let first = 0; first < tokens.length; first += pageTokens) {
      const wanted = tokens.subarray(first, first + pageTokens);
      const { page, shared } = tree.nearest(parent, wanted);
      if (page !== undefined && shared === wanted.length) {
        this.#use(page, job);
        pages.push(page);
        parent = page;
        continue;
      }
      const place = { place: sequence, length: tokens.length };
      const own = [...pageParts(this.#kv, first, wanted.length)];
      const parts = await Promise.all(own.map((part) => session.readPart(place, part)));
      await this.#prepareRoom(parts);
      const added = tree.addPage(parent, { tokens: wanted.slice(), parts, usedAt: since }, since);
      if (added === undefined) return first;
      // It ended where this one goes on.
      if (page !== undefined && shared === page.tokens.length) this.#replace(page, added);
      this.#disk?.write(added, job.at);
      await this.#disk?.room();
      pages.push(added);
      parent = added;
      yield bytesOf(parts);
    }
    yield* this.#keepMarks(session, { sequence, pages, job });
    return tokens.length;
  }

  /**
   * Copies what was found into a sequence that holds nothing else afterwards. Ends with the tokens it goes on from: fewer
   * than were found where the disk has lost some.
   */
  async *bring(session: Session, sequence: number, { pages, mark, ...found }: Found): Copy {
    const job: Job = { since: this.#tree.tick(), at: new Date() };
    let { length } = found;
    const tokens = new Int32Array(length);
    for (const page of pages) {
      tokens.set(page.tokens.subarray(0, length - page.first), page.first);
      this.#use(page, job);
    }
    if (mark !== undefined) this.#use(mark, job);
    // Keys and values of these positions are in their place already.
    const before = session.cache.commonPrefix(sequence, tokens);
    session.cache.truncate(sequence, 0);
    const place = { place: sequence, length };
    const write = async (parts: readonly StatePart[], bytes: Parts): Promise<Bytes> => {
      const own = parts.map((part, i) => session.writePart(place, part, bytes[i] ?? empty));
      await Promise.all(own);
      return bytesOf(bytes);
    };
    const wanted = pages.filter(({ first, tokens }) => first + tokens.length > before);
    let reading = this.#partsOf(wanted[0]);
    for (const [i, page] of wanted.entries()) {
      const isFromDisk = page.parts === undefined;
      const parts = await reading;
      // The disk reads the next one while others' steps run.
      reading = this.#partsOf(wanted[i + 1]);
      if (parts === undefined) {
        length = this.#needsMarks ? 0 : page.first;
        break;
      }
      const end = Math.min(length, page.first + page.tokens.length);
      const first = Math.max(before, page.first);
      const from = [...pageParts(this.#kv, page.first, page.tokens.length)];
      const to = [...pageParts(this.#kv, first, end - first)];
      const bytes = from.map((part, at) => cut(parts[at], part, to[at] ?? part));
      const copied = await write(to, bytes);
      yield isFromDisk ? Number.POSITIVE_INFINITY : copied;
    }
    if (mark !== undefined && length > 0) {
      const parts = await this.#partsOf(mark);
      if (parts === undefined) length = 0;
      else yield await write([...markParts(this.#kv, length)], parts);
    }
    if (length > 0) {
      const held = { tokens: tokens.subarray(0, length), checkpoints: [] };
      session.cache.adopt(sequence, held, "pages");
    }
    return length;
  }

  /** Forgets a conversation, but for beginnings that others go on from. */
  forget(tokens: Int32Array): void {
    const pages: Page[] = [];
    for (let first = 0; first < tokens.length; first += pageTokens) {
      const wanted = tokens.subarray(first, first + pageTokens);
      const { page, shared } = this.#tree.nearest(pages.at(-1) ?? this.#tree.root, wanted);
      if (page === undefined || shared < wanted.length) break;
      pages.push(page);
    }
    for (const page of pages.reverse()) {
      if (page.children.length > 0) return;
      for (const memory of [...page.marks, page]) this.#disk?.remove(memory);
      this.#tree.forget(page);
    }
  }

  /** The newest first: where there is no room for all, it is the conversation's end that goes on. */
  async *#keepMarks(
    session: Session,
    kept: { readonly sequence: number; readonly pages: readonly Page[]; readonly job: Job },
  ): AsyncGenerator<Bytes, void, undefined> {
    const { sequence, pages, job } = kept;
    const { cache } = session;
    const end = { length: cache.length(sequence), place: sequence };
    const saved = cache
      .checkpointsOf(sequence)
      .map(({ length, slot }) => ({ length, place: cache.sequences + slot }))
      .filter(({ length }) => length < end.length);
    for (const place of [...saved, end].reverse()) {
      const { length } = place;
      const own = [...markParts(this.#kv, length)];
      const page = pages[Math.floor((length - 1) / pageTokens)];
      if (own.length === 0 || page === undefined) return;
      const known = page.marks.find((mark) => mark.length === length);
      if (known !== undefined) {
        this.#use(known, job);
        continue;
      }
      const parts = await Promise.all(own.map((part) => session.readPart(place, part)));
      await this.#prepareRoom(parts);
      const mark: Mark = { page, length, parts, usedAt: job.since };
      if (!this.#tree.addMark(mark, job.since)) return;
      this.#disk?.write(mark, job.at);
      await this.#disk?.room();
      yield bytesOf(parts);
    }
  }

  /** What gives way is to be on the disk by then. */
  async #prepareRoom(parts: Parts): Promise<void> {
    if (!this.#tree.hasRoom(bytesOf(parts) + mostBookBytes)) await this.#disk?.flush();
  }

  #use(memory: Page | Mark, { since, at }: Job): void {
    memory.usedAt = since;
    if (memory.file !== undefined) this.#disk?.touch([memory], at);
    else if (memory.parts !== undefined) this.#disk?.write(memory, at);
  }

  #replace(page: Page, longer: Page): void {
    this.#tree.replace(page, longer);
    this.#disk?.remove(page);
  }

  /** From memory or the disk. What is lost is forgotten. */
  async #partsOf(memory: Page | Mark | undefined): Promise<Parts | undefined> {
    if (memory?.parts !== undefined || memory === undefined) return memory?.parts;
    const parts = await this.#disk?.read(memory);
    if (parts === undefined) this.#tree.forget(memory);
    else if (memory.parts === undefined) this.#tree.fill(memory, parts);
    return parts;
  }
}

/** One copy. What it has used is newer than all before. */
interface Job {
  readonly since: number;
  readonly at: Date;
}

const empty = new Uint8Array(0);

/** The bytes of a part's positions `to`, of those of `from`, as memory of their own: views take their whole memory along to other threads. */
function cut(bytes: Uint8Array = empty, from: StatePart, to: StatePart): Uint8Array {
  if (from.kind === "state" || to.kind === "state" || to.count === from.count) return bytes;
  const each = from.bytes / from.count;
  const begin = (to.first - from.first) * each;
  return bytes.slice(begin, begin + to.count * each);
}

function bytesOf(parts: Parts): Bytes {
  return parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
}
