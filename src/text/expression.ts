/**
 * The regular expressions of pre-tokenizers, without V8's: those give up on a match of some million characters, and
 * their classes follow Node's Unicode. Here a repeated class keeps one number to go back by, so that a match of any
 * length takes no memory. Of the syntax, what pre-tokenizers use: classes, (?:…|…), + * ? {m,n}, (?!…), (?<!…), $.
 * Matching is JavaScript's (and Perl's): the first alternative that fits, each repetition as long as it can be.
 */
import { bitsOfCodePoint, classBits } from "./unicode-classes.ts";

/** Where a match that begins at `at` ends; -1 for none. */
export type Matcher = (text: string, at: number) => number;

type Test = (codePoint: number) => boolean;
/** Makes the matcher of an atom from the matcher of the rest behind it. */
type Atom = (next: Matcher) => Matcher;

/** @throws SyntaxError for syntax that no expression of a pre-tokenizer has. */
export function compileExpression(source: string): Matcher {
  const parser = new Parser(source);
  const atom = parser.alternatives();
  parser.finish();
  return atom((_, at) => at);
}

class Parser {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  finish(): void {
    if (this.#at < this.#source.length) this.#fail("an end");
  }

  alternatives(): Atom {
    const options = [this.#sequence()];
    while (this.#takes("|")) options.push(this.#sequence());
    const [only] = options;
    return options.length === 1 && only !== undefined ? only : firstOf(options);
  }

  #sequence(): Atom {
    const atoms: Atom[] = [];
    while (this.#at < this.#source.length && !"|)".includes(this.#source[this.#at] ?? "")) {
      atoms.push(this.#atom());
    }
    return (next) => atoms.reduceRight((rest, atom) => atom(rest), next);
  }

  #atom(): Atom {
    if (this.#takes("$")) return (next) => (text, at) => (at === text.length ? next(text, at) : -1);
    if (this.#takes("(?!")) return notAhead(this.#enclosedTest());
    if (this.#takes("(?<!")) return notBehind(this.#enclosedTest());
    if (this.#takes("(?:")) {
      const group = this.alternatives();
      if (!this.#takes(")")) this.#fail(")");
      return this.#takes("?") ? optional(group) : group;
    }
    const test = this.#test();
    const { min, max } = this.#repetition();
    return repeated(test, min, max);
  }

  #enclosedTest(): Test {
    const test = this.#test();
    if (!this.#takes(")")) this.#fail(")");
    return test;
  }

  #repetition(): { readonly min: number; readonly max: number } {
    if (this.#takes("+")) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (this.#takes("*")) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (this.#takes("?")) return { min: 0, max: 1 };
    const [all, min, max] = /^\{(\d+),(\d+)\}/.exec(this.#source.slice(this.#at)) ?? [];
    this.#at += all?.length ?? 0;
    return { min: Number(min ?? 1), max: Number(max ?? 1) };
  }

  /** A class in brackets, an escape or a character. */
  #test(): Test {
    const set = new ClassBuilder();
    if (!this.#takes("[")) {
      this.#member(set);
      return set.build(false);
    }
    const isNegated = this.#takes("^");
    while (!this.#takes("]")) this.#member(set);
    return set.build(isNegated);
  }

  /** One member of a class, or a range of characters. */
  #member(set: ClassBuilder): void {
    const [all, isNot, name] = /^\\([pP])\{(\w+)\}/.exec(this.#source.slice(this.#at)) ?? [];
    if (all !== undefined && name !== undefined) {
      this.#at += all.length;
      set.addClass(classBits(name) ?? this.#fail("a class of the table"), isNot === "P");
    } else if (this.#takes("\\s")) set.addClass(classBits("White_Space") ?? 0, false);
    else if (this.#takes("\\S")) set.addClass(classBits("White_Space") ?? 0, true);
    else {
      const first = this.#character();
      const isRange = this.#source[this.#at] === "-" && this.#source[this.#at + 1] !== "]";
      set.addRange(first, isRange && this.#takes("-") ? this.#character() : first);
    }
  }

  #character(): number {
    const rest = this.#source.slice(this.#at, this.#at + 12);
    const [all, two, four, braced, other] =
      /^\\(?:x([\da-f]{2})|u([\da-f]{4})|u\{([\da-f]+)\}|(.))/iu.exec(rest) ?? [];
    const hex = two ?? four ?? braced;
    const plain = rest.codePointAt(0) ?? this.#fail("a character");
    this.#at += all?.length ?? String.fromCodePoint(plain).length;
    if (hex !== undefined) return Number.parseInt(hex, 16);
    if (other === "n") return 0x0a;
    if (other === "r") return 0x0d;
    return other?.codePointAt(0) ?? plain;
  }

  #takes(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #fail(expected: string): never {
    throw new SyntaxError(`expression ${this.#source}, at ${this.#at}: expected ${expected}`);
  }
}

const ascii = 128;

class ClassBuilder {
  #bits = 0;
  /** Bits of classes whose opposite is a member. */
  readonly #opposites: number[] = [];
  readonly #ranges: (readonly [number, number])[] = [];

  addClass(bits: number, isOpposite: boolean): void {
    if (isOpposite) this.#opposites.push(bits);
    else this.#bits |= bits;
  }

  addRange(first: number, last: number): void {
    this.#ranges.push([first, last]);
  }

  build(isNegated: boolean): Test {
    const isMember: Test = (point) => {
      const bits = bitsOfCodePoint[point] ?? 0;
      if ((bits & this.#bits) !== 0) return true;
      if (this.#opposites.some((opposite) => (bits & opposite) === 0)) return true;
      return this.#ranges.some(([first, last]) => point >= first && point <= last);
    };
    const table = Uint8Array.from({ length: ascii }, (_, point) =>
      isMember(point) === isNegated ? 0 : 1,
    );
    return (point) => (point < ascii ? table[point] === 1 : isMember(point) !== isNegated);
  }
}

function firstOf(options: readonly Atom[]): Atom {
  return (next) => {
    const matchers = options.map((option) => option(next));
    return (text, at) => {
      for (const matcher of matchers) {
        const end = matcher(text, at);
        if (end >= 0) return end;
      }
      return -1;
    };
  };
}

function optional(atom: Atom): Atom {
  return firstOf([atom, (next) => next]);
}

function notAhead(test: Test): Atom {
  return (next) => (text, at) =>
    at < text.length && test(codePointAt(text, at)) ? -1 : next(text, at);
}

function notBehind(test: Test): Atom {
  return (next) => (text, at) => {
    const before = at - widthBefore(text, at);
    return at > 0 && test(codePointAt(text, before)) ? -1 : next(text, at);
  };
}

function repeated(test: Test, min: number, max: number): Atom {
  return (next) => (text, at) => {
    let end = at;
    let count = 0;
    while (count < max && end < text.length) {
      const point = codePointAt(text, end);
      if (!test(point)) break;
      end += point > 0xffff ? 2 : 1;
      count++;
    }
    for (; count >= min; count--) {
      const match = next(text, end);
      if (match >= 0) return match;
      end -= widthBefore(text, end);
    }
    return -1;
  };
}

function codePointAt(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  return unit < 0xd800 || unit > 0xdbff ? unit : (text.codePointAt(at) ?? 0);
}

/** Code units of the character that ends at `at`: 2 where that is a surrogate pair. */
function widthBefore(text: string, at: number): number {
  const isLow = (text.charCodeAt(at - 1) & 0xfc00) === 0xdc00;
  return isLow && (text.charCodeAt(at - 2) & 0xfc00) === 0xd800 ? 2 : 1;
}
