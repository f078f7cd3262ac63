/**
 * A grammar as a program: items that say what may come next. An item belongs to the body of one rule or of one counted
 * repeat; where that body ends, the matcher goes on with what stands on its stack (states.ts).
 */
import { FormError } from "../core/errors.ts";
import { type ByteSet, type Expression, type Grammar, hasByte } from "./expression.ts";
import { Items } from "./items.ts";
import {
  hasBytes,
  isNullable,
  isProductive,
  leastFlags,
  leftRecursion,
  type RuleFlags,
  rulesWithBytes,
  ruleUsers,
  type TextFlags,
} from "./properties.ts";

/** What an item does. `a` and `b` are its two numbers. */
export const itemKind: {
  /** The body ends here. The first item of a program is the only one. */
  readonly end: 0;
  /** a: a set of bytes; b: the item after one of them. */
  readonly bytes: 1;
  /** a: a list of items, each of which may come. */
  readonly choice: 2;
  /** a: a rule; b: the item after it. */
  readonly call: 3;
  /** a: a counter; b: how many of its bodies have been read, or its `least` if that is enough to know. */
  readonly count: 4;
} = { end: 0, bytes: 1, choice: 2, call: 3, count: 4 };

export const endItem = 0;
const noSet = -1;

/** A repeat that is counted while it is read, so that its size does not depend on its limits. */
export interface Counter {
  /** The first item of the body. */
  readonly start: number;
  readonly least: number;
  readonly most: number;
  /** The item after the repeat. */
  readonly next: number;
  readonly isCode: boolean;
  readonly isBodyNullable: boolean;
  /** The items of counts 0, 1, 2, …, as far as they were needed. */
  readonly counts: number[];
}

/** A repeat of at most so many copies is written out if each is short: then it needs no stack. */
const maxCopies = 8;
const maxCopiedItems = 16;

/** Bytes that texts of a choice share at most: each step of it takes room on the stack. */
const maxShared = 1000;

export class Program {
  readonly items: Items = new Items();
  readonly lists: (readonly number[])[] = [];
  readonly sets: ByteSet[] = [];
  readonly counters: Counter[] = [];
  /** The first item of each rule; 0 for a rule that matches nothing. */
  readonly starts: Int32Array;
  readonly root: number;
  readonly ruleNullable: RuleFlags;
  readonly #setIds: Map<string, number> = new Map();
  /** The same for sets that have been met themselves. */
  readonly #idsOfMet: Map<ByteSet, number> = new Map();
  readonly #onlyBytes: (number | undefined)[] = [];
  /** Items at which a space may come that says nothing. */
  readonly gaps: Set<number> = new Set();

  /** @throws FormError for left recursion, a root that matches nothing, and too large a grammar. */
  constructor(grammar: Grammar) {
    this.items.add(itemKind.end, 0, 0, true);
    const users = ruleUsers(grammar);
    this.ruleNullable = leastFlags(grammar, users, isNullable);
    const circle = leftRecursion(grammar, this.ruleNullable);
    if (circle !== undefined) {
      const path = [...circle, circle[0]].join(" → ");
      throw new FormError(
        `rule ${circle[0]}`,
        `begins with itself (${path})`,
        "write the repetition as item (separator item)*",
      );
    }
    const productive = leastFlags(grammar, users, isProductive);
    if (productive[grammar.root] !== 1) {
      const name = grammar.rules[grammar.root]?.name ?? "root";
      throw new FormError(`rule ${name}`, "no finite text matches it", "loosen what contradicts");
    }
    const withBytes = rulesWithBytes(grammar, users, productive);
    const compiler = new Compiler(this, { productive, withBytes });
    this.starts = new Int32Array(grammar.rules.length);
    for (const [rule, { body }] of grammar.rules.entries()) {
      if (productive[rule] === 1) this.starts[rule] = compiler.compile(body, endItem);
    }
    this.root = this.starts[grammar.root] ?? 0;
  }

  addItem(kind: number, a: number, b: number): number {
    return this.items.add(kind, a, b, this.#isNullable(kind, a, b));
  }

  /** The byte of a set of one byte; undefined for other sets. */
  onlyByteOf(setId: number): number | undefined {
    if (setId >= this.#onlyBytes.length) {
      for (const set of this.sets.slice(this.#onlyBytes.length)) {
        const bytes = Array.from({ length: 256 }, (_, byte) => byte).filter((b) => hasByte(set, b));
        this.#onlyBytes.push(bytes.length === 1 ? bytes[0] : undefined);
      }
    }
    return this.#onlyBytes[setId];
  }

  setId(set: ByteSet): number {
    const met = this.#idsOfMet.get(set);
    if (met !== undefined) return met;
    const key = set.join();
    const known = this.#setIds.get(key) ?? this.sets.push(set) - 1;
    this.#setIds.set(key, known);
    this.#idsOfMet.set(set, known);
    return known;
  }

  /** The item of a counter after `count` bodies. */
  countItem(counter: number, count: number): number {
    const { counts, least, most } = this.#counter(counter);
    const known = most === Number.POSITIVE_INFINITY ? Math.min(count, least) : count;
    for (let k = counts.length; k <= known; k++) {
      counts.push(this.addItem(itemKind.count, counter, k));
    }
    return counts[known] ?? 0;
  }

  /** Of an item whose followers are known; a loop leads back to itself by no byte, which adds nothing. */
  #isNullable(kind: number, a: number, b: number): boolean {
    switch (kind) {
      case itemKind.choice:
        return this.lists[a]?.some((option) => this.items.isNullable(option)) ?? false;
      case itemKind.call:
        return this.ruleNullable[a] === 1 && this.items.isNullable(b);
      case itemKind.count: {
        const { least, next, isBodyNullable } = this.#counter(a);
        return (b >= least || isBodyNullable) && this.items.isNullable(next);
      }
      default:
        return false;
    }
  }

  #counter(counter: number): Counter {
    const found = this.counters[counter];
    if (found === undefined) throw new RangeError(`no counter ${counter}`);
    return found;
  }
}

/** Writes expressions as items, from their ends to their beginnings. */
class Compiler {
  readonly #program: Program;
  readonly #flags: TextFlags;
  /** Per byte the set of it alone, or `noSet`. */
  readonly #setOfByte: Int32Array = new Int32Array(256).fill(noSet);
  readonly #codes: Map<Expression, number> = new Map();

  constructor(program: Program, flags: TextFlags) {
    this.#program = program;
    this.#flags = flags;
  }

  /** The first item of an expression that is productive; `next` comes after it. */
  compile(expression: Expression, next: number): number {
    const program = this.#program;
    switch (expression.kind) {
      case "bytes":
        return program.addItem(itemKind.bytes, program.setId(expression.set), next);
      case "text":
        return this.#text(expression.bytes, next);
      case "code":
        return this.compile(expression.body, next);
      case "rule":
        // What is but the empty text is left out: where nothing may follow, no item is left to follow.
        if (this.#flags.withBytes[expression.rule] === 0) return next;
        return program.addItem(itemKind.call, expression.rule, next);
      case "sequence":
        return this.#sequence(expression.parts, next);
      case "choice":
        return this.#choice(expression.options, next);
      case "repeat":
        return this.#repeat(expression, next);
      default:
        return expression satisfies never;
    }
  }

  #sequence(parts: readonly Expression[], next: number): number {
    let item = next;
    for (let at = parts.length - 1; at >= 0; at--) {
      const part = parts[at];
      if (part !== undefined) item = this.compile(part, item);
    }
    return item;
  }

  #text(bytes: Uint8Array, next: number): number {
    for (const byte of bytes) if (this.#setOfByte[byte] === noSet) this.#addByteSet(byte);
    return this.#program.items.addText(itemKind.bytes, bytes, this.#setOfByte, next);
  }

  #addByteSet(byte: number): void {
    const set = new Uint32Array(8);
    set[byte >> 5] = 1 << (byte & 31);
    this.#setOfByte[byte] = this.#program.setId(set);
  }

  #choice(options: readonly Expression[], next: number): number {
    const items = new Set<number>();
    const texts: Uint8Array[] = [];
    for (const option of options) if (option.kind === "text") texts.push(option.bytes);
    if (texts.length > 1) items.add(this.#texts(texts.sort(Buffer.compare), { at: 0, next }));
    for (const option of options) {
      if (option.kind === "text" && texts.length > 1) continue;
      if (isProductive(option, this.#flags.productive)) items.add(this.compile(option, next));
    }
    const [only] = items;
    return items.size === 1 && only !== undefined ? only : this.#list([...items]);
  }

  /** One of several texts, sorted, from byte `at` on: those that begin alike share their beginning. */
  #texts(
    texts: readonly Uint8Array[],
    { at, next }: { readonly at: number; readonly next: number },
  ): number {
    const [first = new Uint8Array()] = texts;
    const last = texts.at(-1) ?? first;
    if (texts.length === 1) return this.#text(first.subarray(at), next);
    if (at > maxShared) {
      return this.#list(texts.map((bytes) => this.#text(bytes.subarray(at), next)));
    }
    let branch = at;
    while (branch < first.length && first[branch] === last[branch]) branch++;
    const groups = new Map<number | undefined, Uint8Array[]>();
    for (const bytes of texts) {
      const group = groups.get(bytes[branch]);
      if (group === undefined) groups.set(bytes[branch], [bytes]);
      else group.push(bytes);
    }
    // Equal texts end in one group: what follows them is no choice.
    const items = [...groups].map(([byte, group]) =>
      byte === undefined ? next : this.#texts(group, { at: branch, next }),
    );
    const [only] = items;
    const after = items.length === 1 && only !== undefined ? only : this.#list(items);
    return this.#text(first.subarray(at, branch), after);
  }

  #list(items: readonly number[]): number {
    const list = this.#program.lists.push(items) - 1;
    return this.#program.addItem(itemKind.choice, list, 0);
  }

  #repeat(expression: Extract<Expression, { kind: "repeat" }>, next: number): number {
    const { body, most } = expression;
    if (most === 0 || !isProductive(body, this.#flags.productive)) return next;
    if (!hasBytes(body, this.#flags)) return next;
    const isBodyNullable = isNullable(body, this.#program.ruleNullable);
    const least = isBodyNullable ? 0 : expression.least;
    if (most === 1) {
      const item = this.#copies(body, { least, most }, next);
      if (expression.isGap === true) this.#program.gaps.add(item);
      return item;
    }
    if (most === Number.POSITIVE_INFINITY && least <= 1) return this.#loop(body, least, next);
    const isCode = body.kind === "code";
    const copies = most === Number.POSITIVE_INFINITY ? least : most;
    const isShort = copies <= maxCopies && copies * sizeOf(body) <= maxCopiedItems;
    if (!isCode && isShort) {
      const after = most === Number.POSITIVE_INFINITY ? this.#loop(body, 0, next) : next;
      return this.#copies(body, { least, most: copies }, after);
    }
    const start = isCode ? this.#code(body.body) : this.compile(body, endItem);
    const { counters } = this.#program;
    const counter =
      counters.push({ start, least, most, next, isCode, isBodyNullable, counts: [] }) - 1;
    return this.#program.countItem(counter, 0);
  }

  /** Repeats of one code share their body, and what is known of its masks. */
  #code(body: Expression): number {
    const known = this.#codes.get(body);
    if (known !== undefined) return known;
    const start = this.compile(body, endItem);
    this.#codes.set(body, start);
    return start;
  }

  /** body body? body? … */
  #copies(body: Expression, limits: { least: number; most: number }, next: number): number {
    let item = next;
    for (let copy = limits.most; copy > 0; copy--) {
      const inner = this.compile(body, item);
      item = copy > limits.least ? this.#list([inner, next]) : inner;
    }
    return item;
  }

  #loop(body: Expression, least: number, next: number): number {
    const options = [next];
    const loop = this.#list(options);
    const start = this.compile(body, loop);
    options.push(start);
    return least === 0 ? loop : start;
  }
}

function sizeOf(expression: Expression): number {
  switch (expression.kind) {
    case "bytes":
    case "rule":
      return 1;
    case "text":
      return expression.bytes.length;
    case "code":
      return sizeOf(expression.body);
    case "repeat":
      return Number.isFinite(expression.most) && expression.most > 1
        ? maxCopiedItems
        : 1 + sizeOf(expression.body);
    case "sequence":
      return expression.parts.reduce((sum, part) => sum + sizeOf(part), 0);
    case "choice":
      return expression.options.reduce((sum, option) => sum + sizeOf(option), 1);
    default:
      return expression satisfies never;
  }
}

/**
 * Bytes in classes that every set of the program holds wholly or not at all. `classOf` [256]; `first`: a byte of each
 * class.
 */
export function byteClasses(program: Program): { classOf: Uint8Array; first: Uint8Array } {
  const classOf = new Uint8Array(256);
  const first: number[] = [];
  const known = new Map<string, number>();
  const sets = program.sets;
  for (let byte = 0; byte < 256; byte++) {
    let key = "";
    for (let set = 0; set < sets.length; set++) {
      const bytes = sets[set];
      if (bytes !== undefined && hasByte(bytes, byte)) key += `${set},`;
    }
    const found = known.get(key) ?? first.push(byte) - 1;
    known.set(key, found);
    classOf[byte] = found;
  }
  return { classOf, first: Uint8Array.from(first) };
}
