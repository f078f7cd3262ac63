/**
 * Regular expressions of ECMA-262 with the flag u, as languages: what a text may hold, not how it is searched. Refused
 * by name: look-behind, look-ahead in what is repeated or goes on, back references, word boundaries, and anchors that are
 * not at an end of the pattern.
 */
import { FormError } from "../core/errors.ts";
import { anyCodePoint, codePoints, complement } from "./code-points.ts";
import { characterEscape, classEscape, readClass } from "./pattern-classes.ts";
import type { Regular, RegularMaker } from "./regular.ts";
import { TextReader } from "./text-reader.ts";

export interface PatternOptions {
  /** Whether the whole text must match, or only a part of it, as in JSON schemas. */
  readonly covers: "all" | "part";
  /** The flag s: a dot is any character, line breaks too. Default false. */
  readonly dotAll?: boolean;
}

/** Characters: longer ones are made by programs, and a grammar says the same more clearly. */
const maxLength = 1 << 16;
const maxDepth = 200;
/** Ways to begin and end, each with its anchors: (^a|b)(c|d$) has four. */
const maxVariants = 256;

/** A way to match, and whether it must begin where the text begins, and end where it ends. */
interface Variant {
  readonly starts: boolean;
  readonly ends: boolean;
  readonly body: Regular;
}

/** A look-ahead: what all of the rest of the text must be. */
interface Ahead {
  readonly rest: Regular;
}

/** @throws FormError naming what is not supported, and where. */
export function parsePattern(
  source: string,
  maker: RegularMaker,
  options: PatternOptions,
): Regular {
  if (source.length > maxLength) {
    throw new FormError("regex", `has ${source.length} characters`, `give at most ${maxLength}`);
  }
  const variants = new PatternParser(source, maker, options).parse();
  const anything = anyText(maker);
  return maker.choice(
    variants.map(({ starts, ends, body }) => {
      if (options.covers === "all") return body;
      const after = ends ? body : maker.sequence(body, anything);
      return starts ? after : maker.sequence(anything, after);
    }),
  );
}

function anyText(maker: RegularMaker): Regular {
  return maker.repeat(maker.class(anyCodePoint), 0, Number.POSITIVE_INFINITY);
}

const lineBreaks = codePoints([
  [0xa, 0xa],
  [0xd, 0xd],
  [0x2028, 0x2029],
]);

class PatternParser {
  readonly #reader: TextReader;
  readonly #maker: RegularMaker;
  readonly #dot: Regular;
  /** What may stand between the end of a match and that of the text. */
  #behind: Regular;
  #depth = 0;

  constructor(source: string, maker: RegularMaker, { covers, dotAll = false }: PatternOptions) {
    this.#reader = new TextReader(source, "regex");
    this.#maker = maker;
    this.#behind = covers === "all" ? maker.empty : anyText(maker);
    this.#dot = maker.class(dotAll ? anyCodePoint : complement(lineBreaks));
  }

  parse(): readonly Variant[] {
    const variants = this.#disjunction();
    if (!this.#reader.isAtEnd) throw this.#reader.error("has a ) without its (");
    return variants;
  }

  #disjunction(): readonly Variant[] {
    const variants = [...this.#alternative()];
    while (this.#reader.take("|")) variants.push(...this.#alternative());
    const free = variants.filter(({ starts, ends }) => !starts && !ends);
    if (free.length < 2) return variants;
    // Those without anchors are one way to match.
    const anchored = variants.filter(({ starts, ends }) => starts || ends);
    return [{ ...unanchored, body: this.#maker.choice(free.map(({ body }) => body)) }, ...anchored];
  }

  #alternative(): readonly Variant[] {
    const reader = this.#reader;
    const terms: (readonly Variant[] | Ahead)[] = [];
    while (!reader.isAtEnd && reader.peek() !== "|" && reader.peek() !== ")")
      terms.push(this.#lookAhead() ?? this.#term());
    return terms.reduceRight<readonly Variant[]>(
      (rest, term) => ("rest" in term ? this.#looked(term, rest) : this.#join(term, rest)),
      [{ ...unanchored, body: this.#maker.empty }],
    );
  }

  #lookAhead(): Ahead | undefined {
    const reader = this.#reader;
    const isNegative = reader.take("(?!");
    if (!isNegative && !reader.take("(?=")) return undefined;
    const maker = this.#maker;
    const behind = this.#behind;
    this.#behind = anyText(maker);
    const variants = this.#grouped();
    if (variants.some(({ starts }) => starts))
      throw reader.error("has an anchor (^) in a look-ahead");
    const rest = maker.choice(variants.map((variant) => this.#toEnd(variant)));
    this.#behind = behind;
    return { rest: isNegative ? maker.not(rest) : rest };
  }

  /** Matches of the rest behind a look-ahead, as all of the text from there on: nothing can follow them. */
  #looked({ rest }: Ahead, matches: readonly Variant[]): readonly Variant[] {
    return matches.map((variant) => ({
      starts: variant.starts,
      ends: true,
      body: this.#maker.all([this.#toEnd(variant), rest]),
    }));
  }

  #toEnd({ ends, body }: Variant): Regular {
    return ends ? body : this.#maker.sequence(body, this.#behind);
  }

  /** One after the other. An anchor with something before a begin, or behind an end, is refused. */
  #join(firsts: readonly Variant[], rests: readonly Variant[]): readonly Variant[] {
    const joined: Variant[] = [];
    for (const first of firsts) {
      for (const rest of rests) {
        const { empty } = this.#maker;
        const isMiddle =
          (rest.starts && first.body !== empty) || (first.ends && rest.body !== empty);
        if (isMiddle)
          throw this.#reader.error(
            "has an anchor (^ or $), or a look-ahead, that is not at an end of it",
          );
        joined.push({
          starts: first.starts || rest.starts,
          ends: first.ends || rest.ends,
          body: this.#maker.sequence(first.body, rest.body),
        });
      }
    }
    if (joined.length > maxVariants)
      throw this.#reader.error("has anchors in too many alternatives");
    return joined;
  }

  #term(): readonly Variant[] {
    const reader = this.#reader;
    if (reader.take("^")) return [{ starts: true, ends: false, body: this.#maker.empty }];
    if (reader.take("$")) return [{ starts: false, ends: true, body: this.#maker.empty }];
    const start = reader.position;
    const atom = reader.peek() === "(" ? this.#group() : [{ ...unanchored, body: this.#atom() }];
    const limits = this.#quantifier();
    if (limits === undefined) return atom;
    const [only] = atom;
    if (atom.length === 1 && only !== undefined && !only.starts && !only.ends) {
      return [{ ...unanchored, body: this.#maker.repeat(only.body, limits.least, limits.most) }];
    }
    if (limits.most === 1) return [...atom, { ...unanchored, body: this.#maker.empty }];
    reader.position = start;
    throw reader.error("repeats a group that has an anchor (^ or $) or a look-ahead");
  }

  #group(): readonly Variant[] {
    const reader = this.#reader;
    const start = reader.position;
    const refused = refusedGroups.find(([mark]) => reader.take(mark));
    if (refused !== undefined) {
      reader.position = start;
      throw reader.error(`has ${refused[1]}, which no automaton can keep`);
    }
    if (!reader.take("(?:") && reader.take("(?")) {
      if (!reader.take("<")) throw reader.error("has a group of an unknown kind");
      reader.takeWhile((character) => /[\p{ID_Continue}$]/u.test(character));
      if (!reader.take(">")) throw reader.error("needs > behind the name of the group");
    } else if (reader.position === start) {
      reader.take("(");
    }
    return this.#grouped();
  }

  /** Behind what opens a group. */
  #grouped(): readonly Variant[] {
    const reader = this.#reader;
    if (this.#depth >= maxDepth)
      throw reader.error(`has more than ${maxDepth} groups in each other`);
    this.#depth++;
    const body = this.#disjunction();
    this.#depth--;
    if (!reader.take(")")) throw reader.error("needs ) here");
    return body;
  }

  #atom(): Regular {
    const reader = this.#reader;
    const start = reader.position;
    if (reader.take("[")) return this.#maker.class(readClass(reader));
    if (reader.take(".")) return this.#dot;
    if (!reader.take("\\")) {
      if (/^[*+?{]$/.test(reader.peek())) throw reader.error("repeats nothing here");
      if (/^[}\]]$/.test(reader.peek())) throw reader.error("has this without its opening bracket");
      const point = reader.next().codePointAt(0) ?? 0;
      return this.#maker.class([point, point]);
    }
    const letter = reader.peek();
    if (letter === "b" || letter === "B") throw reader.error("has a word boundary");
    if (/^[1-9]$/.test(letter) || letter === "k") {
      reader.position = start;
      throw reader.error("has a back reference, which no automaton can keep");
    }
    const set = classEscape(reader);
    if (set !== undefined) return this.#maker.class(set);
    const point = characterEscape(reader);
    return this.#maker.class([point, point]);
  }

  #quantifier(): { readonly least: number; readonly most: number } | undefined {
    const limits = this.#limits();
    // Lazy or not: the language is the same.
    if (limits !== undefined) this.#reader.take("?");
    return limits;
  }

  #limits(): { readonly least: number; readonly most: number } | undefined {
    const reader = this.#reader;
    if (reader.take("*")) return { least: 0, most: Number.POSITIVE_INFINITY };
    if (reader.take("+")) return { least: 1, most: Number.POSITIVE_INFINITY };
    if (reader.take("?")) return { least: 0, most: 1 };
    if (!reader.take("{")) return undefined;
    const least = reader.number();
    if (least === undefined) throw reader.error("needs a number of repeats here");
    const most = reader.take(",") ? (reader.number() ?? Number.POSITIVE_INFINITY) : least;
    if (!reader.take("}")) throw reader.error("needs } here");
    if (most < least) throw reader.error(`repeats at least ${least} and at most ${most} times`);
    return { least, most };
  }
}

const unanchored = { starts: false, ends: false } as const;

const refusedGroups: readonly (readonly [string, string])[] = [
  ["(?<=", "a look-behind"],
  ["(?<!", "a look-behind"],
  ["(?i", "flags in a group"],
  ["(?m", "flags in a group"],
  ["(?s", "flags in a group"],
  ["(?-", "flags in a group"],
];
