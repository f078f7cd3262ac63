/**
 * Conversations that left their sequences, in memory: what the layers remembered of them is copied out page by page, and
 * into a sequence again when a prompt begins as they did. Copies are cut in pieces, between which steps run.
 */
import type { Bytes, Tokens } from "../../core/units.ts";
import { type KvShape, keepsCheckpoints } from "../../ops/kv-shape.ts";
import { markParts, pageParts, type StatePart } from "../../ops/state-parts.ts";
import type { Session } from "../session.ts";
import { type Found, type Mark, type Page, PageTree, type Parts, pageTokens } from "./page-tree.ts";

/** What is copied, piece by piece: the bytes of each. Ends with the tokens that were copied. */
export type Copy = AsyncGenerator<Bytes, Tokens, undefined>;

export class PrefixCache {
  readonly #kv: KvShape;
  readonly #tree: PageTree;

  /** For sequences of this shape; takes at most `maxBytes` of memory. */
  constructor(kv: KvShape, maxBytes: Bytes) {
    const forgets = kv.layers.some((layer) => keepsCheckpoints(layer, kv.contextLength));
    this.#kv = kv;
    this.#tree = new PageTree(maxBytes, forgets);
  }

  /** Of memory that is taken. */
  get bytes(): Bytes {
    return this.#tree.bytes;
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
    const since = tree.tick();
    const tokens = session.cache.tokens(sequence).slice();
    let parent = tree.root;
    const pages: Page[] = [];
    for (let first = 0; first < tokens.length; first += pageTokens) {
      const wanted = tokens.subarray(first, first + pageTokens);
      const { page, shared } = tree.nearest(parent, wanted);
      if (page !== undefined && shared === wanted.length) {
        page.usedAt = since;
        pages.push(page);
        parent = page;
        continue;
      }
      const place = { place: sequence, length: tokens.length };
      const own = [...pageParts(this.#kv, first, wanted.length)];
      const parts = await Promise.all(own.map((part) => session.readPart(place, part)));
      const added = tree.addPage(parent, { tokens: wanted.slice(), parts, usedAt: since }, since);
      if (added === undefined) return first;
      // It ended where this one goes on.
      if (page !== undefined && shared === page.tokens.length) tree.replace(page, added);
      pages.push(added);
      parent = added;
      yield bytesOf(parts);
    }
    yield* this.#keepMarks(session, { sequence, pages, since });
    return tokens.length;
  }

  /** Copies what was found into a sequence that holds nothing else afterwards. Ends with the tokens it goes on from. */
  async *bring(session: Session, sequence: number, { length, pages, mark }: Found): Copy {
    const since = this.#tree.tick();
    const tokens = new Int32Array(length);
    for (const page of pages) {
      tokens.set(page.tokens.subarray(0, length - page.first), page.first);
      page.usedAt = since;
    }
    if (mark !== undefined) mark.usedAt = since;
    // Keys and values of these positions are in their place already.
    const before = session.cache.commonPrefix(sequence, tokens);
    session.cache.truncate(sequence, 0);
    const place = { place: sequence, length };
    const write = async (parts: readonly StatePart[], bytes: Parts): Promise<Bytes> => {
      const own = parts.map((part, i) => session.writePart(place, part, bytes[i] ?? empty));
      await Promise.all(own);
      return bytesOf(bytes);
    };
    for (const page of pages) {
      const end = Math.min(length, page.first + page.tokens.length);
      const first = Math.max(before, page.first);
      if (first >= end || page.parts === undefined) continue;
      const from = [...pageParts(this.#kv, page.first, page.tokens.length)];
      const to = [...pageParts(this.#kv, first, end - first)];
      const bytes = from.map((part, i) => cut(page.parts?.[i], part, to[i] ?? part));
      yield await write(to, bytes);
    }
    if (mark?.parts !== undefined) yield await write([...markParts(this.#kv, length)], mark.parts);
    session.cache.adopt(sequence, { tokens, checkpoints: [] });
    return length;
  }

  /** The newest first: where there is no room for all, it is the conversation's end that goes on. */
  async *#keepMarks(
    session: Session,
    kept: { readonly sequence: number; readonly pages: readonly Page[]; readonly since: number },
  ): AsyncGenerator<Bytes, void, undefined> {
    const { sequence, pages, since } = kept;
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
        known.usedAt = since;
        continue;
      }
      const parts = await Promise.all(own.map((part) => session.readPart(place, part)));
      const mark: Mark = { page, length, parts, usedAt: since };
      if (!this.#tree.addMark(mark, since)) return;
      yield bytesOf(parts);
    }
  }
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
