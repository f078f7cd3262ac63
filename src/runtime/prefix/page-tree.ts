/**
 * Which conversations are remembered: a radix tree of pages of tokens. A page has the keys and values of its positions, once
 * for all conversations that begin alike; marks stand behind positions where layers that forget can go on. This is the book
 * and the memory; who copies is prefix-cache.ts.
 */
import type { Bytes, Tokens } from "../../core/units.ts";

/** Tokens of a whole page. The last page of a conversation has fewer, and no children. */
export const pageTokens: Tokens = 128;

/** What a page or a mark takes beside its bytes and tokens: objects, and views of bytes for each layer. */
const bookBytes: Bytes = 1024;

/** The most that a page or a mark takes beside its parts. */
export const mostBookBytes: Bytes = bookBytes + 4 * pageTokens;

/** Copies of what layers remember, in the order of `pageParts` or `markParts`. */
export type Parts = readonly Uint8Array[];

interface Memory {
  /** Absent where they are on the disk alone. */
  parts?: Parts;
  /** The file that has them too. */
  file?: string;
  /** The later, the higher. */
  usedAt: number;
}

export interface Page extends Memory {
  /** Undefined for the root, which has no tokens. */
  readonly parent: Page | undefined;
  /** Position of its first token. */
  readonly first: Tokens;
  readonly tokens: Int32Array;
  readonly children: Page[];
  readonly marks: Mark[];
}

/** What the layers that forget remember behind `length` tokens, of which the last is in `page`. */
export interface Mark extends Memory {
  page: Page;
  readonly length: Tokens;
}

/** What is remembered of a prompt. */
export interface Found {
  /** Tokens that it has in common with a conversation, at most those that were asked for. */
  readonly common: Tokens;
  /** Of them, those that can be gone on from. */
  readonly length: Tokens;
  /** With the keys and values of those, in order. */
  readonly pages: readonly Page[];
  /** Behind them, where layers forget. */
  readonly mark?: Mark;
}

export class PageTree {
  readonly root: Page = {
    parent: undefined,
    first: 0,
    tokens: new Int32Array(0),
    parts: [],
    children: [],
    marks: [],
    usedAt: 0,
  };
  readonly #maxBytes: Bytes;
  /** Whether layers forget, so that only marks can be gone on from. */
  readonly #needsMarks: boolean;
  #bytes: Bytes = 0;
  #clock = 0;

  constructor(maxBytes: Bytes, needsMarks: boolean) {
    this.#maxBytes = maxBytes;
    this.#needsMarks = needsMarks;
  }

  /** Of all that is in memory, and of the book of what is on the disk. */
  get bytes(): Bytes {
    return this.#bytes;
  }

  /** Then no more of what is on the disk alone is put into the book: memory is for parts. */
  get isHalfFull(): boolean {
    return 2 * this.#bytes > this.#maxBytes;
  }

  hasRoom(bytes: Bytes): boolean {
    return this.#bytes + bytes <= this.#maxBytes;
  }

  /** A time that is later than all before. */
  tick(): number {
    return ++this.#clock;
  }

  /** The most of the first `most` tokens of a prompt that can be gone on from. */
  find(prompt: ArrayLike<number>, most: Tokens): Found {
    const path: Page[] = [];
    let best: Found = { common: 0, length: 0, pages: [] };
    let common = 0;
    for (let page: Page | undefined = this.root; page !== undefined; ) {
      let next: Page | undefined;
      for (const child of page.children) {
        const shared = sharedWith(child, prompt, most);
        if (shared === 0) continue;
        const end = child.first + shared;
        common = Math.max(common, end);
        const mark = child.marks.findLast(({ length }) => length <= end);
        const length = this.#needsMarks ? (mark?.length ?? 0) : end;
        if (length > best.length) {
          best = { common, length, pages: [...path, child], ...(mark && { mark }) };
        }
        if (shared === pageTokens) next = child;
      }
      if (next !== undefined) path.push(next);
      page = next;
    }
    return { ...best, common };
  }

  /** The child of a page that begins with most of `tokens`, and how many those are. */
  nearest(
    parent: Page,
    tokens: Int32Array,
  ): { readonly page: Page | undefined; readonly shared: Tokens } {
    let [best, shared]: [Page | undefined, number] = [undefined, 0];
    for (const page of parent.children) {
      const own = commonLength(page.tokens, tokens, 0);
      if (own > shared) [best, shared] = [page, own];
    }
    return { page: best, shared };
  }

  /** Undefined where there is no room, also when all that was used before `since` is forgotten. */
  addPage(
    parent: Page,
    { tokens, ...memory }: Memory & { readonly tokens: Int32Array },
    since: number,
  ): Page | undefined {
    const first = parent.first + parent.tokens.length;
    const page: Page = { parent, first, tokens, children: [], marks: [], ...memory };
    if (!this.#makeRoom(bytesOfPage(page), since)) return undefined;
    parent.children.push(page);
    this.#bytes += bytesOfPage(page);
    return page;
  }

  /** `longer` begins with the tokens of `page`, which gives way to it: its marks go over. */
  replace(page: Page, longer: Page): void {
    for (const mark of page.marks.splice(0)) {
      mark.page = longer;
      longer.marks.push(mark);
    }
    this.#remove(page);
  }

  /** False where there is no room, also when all that was used before `since` is forgotten. */
  addMark(mark: Mark, since: number): boolean {
    if (!this.#makeRoom(bytesOf(mark), since)) return false;
    mark.page.marks.push(mark);
    mark.page.marks.sort((a, b) => a.length - b.length);
    this.#bytes += bytesOf(mark);
    return true;
  }

  /** What was on the disk alone is in memory too, where what is on the disk as well can make room for it. */
  fill(memory: Page | Mark, parts: Parts): void {
    if (!this.#makeRoom(bytesOfParts(parts), 0)) return;
    memory.parts = parts;
    this.#bytes += bytesOfParts(parts);
  }

  /** Forgets what cannot be read, and all that goes on from it. */
  forget(memory: Page | Mark): void {
    if ("page" in memory) {
      this.#removeMark(memory);
      return;
    }
    for (const page of [memory, ...pagesOf(memory)].reverse()) {
      for (const mark of [...page.marks]) this.#removeMark(mark);
      this.#remove(page);
    }
  }

  /** Forgets what was used longest ago until so many bytes are free; never what was used from `since` on, but on the disk. */
  #makeRoom(bytes: Bytes, since: number): boolean {
    while (!this.hasRoom(bytes)) {
      const oldest = this.#oldest(since);
      if (oldest === undefined) return false;
      if (oldest.file === undefined) this.forget(oldest);
      else {
        this.#bytes -= bytesOfParts(oldest.parts);
        delete oldest.parts;
      }
    }
    return true;
  }

  /** Of what is in memory: pages that nothing there goes on from come before marks as old as they. */
  #oldest(since: number): Page | Mark | undefined {
    let oldest: Page | Mark | undefined;
    for (const page of pagesOf(this.root)) {
      for (const mark of page.marks) {
        if (!canGo(mark, since)) continue;
        if (oldest === undefined || mark.usedAt < oldest.usedAt) oldest = mark;
      }
      if (!canGo(page, since) || page.marks.some(isInMemory)) continue;
      if (page.children.some(isInMemory)) continue;
      if (oldest === undefined || page.usedAt <= oldest.usedAt) oldest = page;
    }
    return oldest;
  }

  #remove(page: Page): void {
    const at = page.parent?.children.indexOf(page) ?? -1;
    if (at < 0) return;
    page.parent?.children.splice(at, 1);
    this.#bytes -= bytesOfPage(page);
  }

  #removeMark(mark: Mark): void {
    const { marks } = mark.page;
    const at = marks.indexOf(mark);
    if (at < 0) return;
    marks.splice(at, 1);
    this.#bytes -= bytesOf(mark);
  }
}

function canGo({ parts, file, usedAt }: Memory, since: number): boolean {
  return parts !== undefined && (usedAt < since || file !== undefined);
}

function isInMemory({ parts }: Memory): boolean {
  return parts !== undefined;
}

/** Parents before children. */
function* pagesOf(page: Page): Generator<Page, void, undefined> {
  const left = [...page.children];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    yield next;
    left.push(...next.children);
  }
}

function sharedWith(page: Page, prompt: ArrayLike<number>, most: Tokens): Tokens {
  const shared = commonLength(page.tokens, prompt, page.first);
  return Math.min(shared, Math.max(0, most - page.first));
}

function commonLength(tokens: Int32Array, prompt: ArrayLike<number>, first: Tokens): Tokens {
  const most = Math.min(tokens.length, prompt.length - first);
  let shared = 0;
  while (shared < most && tokens[shared] === prompt[first + shared]) shared++;
  return shared;
}

function bytesOfPage(page: Page): Bytes {
  return page.tokens.byteLength + bytesOf(page);
}

function bytesOf({ parts }: Memory): Bytes {
  return bookBytes + bytesOfParts(parts);
}

function bytesOfParts(parts: Parts = []): Bytes {
  return parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
}
