/** What a case says about strings, as one regular language: lengths, patterns, formats. */
import { FormError } from "../../core/errors.ts";
import { anyCodePoint } from "../code-points.ts";
import { parsePattern } from "../pattern.ts";
import type { Regular, RegularMaker } from "../regular.ts";
import { type Case, isListValue, isNumberValue, isTextValue, valuesOf } from "./cases.ts";
import { at, step } from "./document.ts";
import {
  formatPatterns,
  leastUriLength,
  numberFormats,
  silentFormats,
  uriOfLength,
} from "./formats.ts";
import { notFormat, notPattern, notTexts } from "./negations.ts";

/** "a://b", the shortest of a URI that is counted. */
const minUriLength = 5;

export class StringLanguages {
  readonly maker: RegularMaker;
  /** All texts. */
  readonly any: Regular;
  readonly #patterns: Map<string, Regular> = new Map();

  constructor(maker: RegularMaker) {
    this.maker = maker;
    this.any = this.ofLength(0, Number.POSITIVE_INFINITY);
  }

  ofLength(least: number, most: number): Regular {
    if (least > most) return this.maker.nothing;
    return this.maker.repeat(this.maker.class(anyCodePoint), least, most);
  }

  /** The texts that a case allows. @throws FormError for a pattern or format that is not supported. */
  of(strings: Case): Regular {
    return this.#uriOf(strings) ?? this.#all(strings);
  }

  /** Of a format and lengths alone, as pydantic says URLs. */
  #uriOf(strings: Case): Regular | undefined {
    const values = (keyword: string): readonly unknown[] =>
      strings.flatMap(({ keywords }) => keywords[keyword] ?? []);
    const most = Math.min(Number.POSITIVE_INFINITY, ...values("maxLength").filter(isNumberValue));
    const isUri = values("format").every((name) => name === "uri" || name === "url");
    const hasOthers = ["pattern", notPattern, notFormat, notTexts].some(
      (keyword) => values(keyword).length > 0,
    );
    const isShort = values("minLength").every((least) => Number(least) <= minUriLength);
    const isCounted = Number.isFinite(most) && most >= leastUriLength;
    if (values("format").length === 0 || !isUri || hasOthers || !isShort || !isCounted) {
      return undefined;
    }
    const key = `uri ${most}`;
    const known = this.#patterns.get(key);
    const language = known ?? parsePattern(uriOfLength(most), this.maker, { covers: "all" });
    this.#patterns.set(key, language);
    return language;
  }

  #all(strings: Case): Regular {
    const lengths = [
      ...valuesOf(strings, "minLength", isNumberValue).map(({ value }) =>
        this.ofLength(value, Number.POSITIVE_INFINITY),
      ),
      ...valuesOf(strings, "maxLength", isNumberValue).map(({ value }) => this.ofLength(0, value)),
    ];
    const patterns = valuesOf(strings, "pattern", isTextValue).map(({ node, value }) =>
      this.pattern(value, step(node.path, "pattern")),
    );
    const formats = valuesOf(strings, "format", isTextValue).flatMap(({ node, value }) =>
      this.#format(value, step(node.path, "format")),
    );
    const others = [
      ...valuesOf(strings, notPattern, isTextValue).map(({ node, value }) =>
        this.pattern(value, step(node.path, "pattern")),
      ),
      ...valuesOf(strings, notFormat, isTextValue).flatMap(({ node, value }) =>
        this.#format(value, step(node.path, "format")),
      ),
      ...valuesOf(strings, notTexts, isListValue).map(({ value }) =>
        this.maker.texts(value.filter(isTextValue)),
      ),
    ].map((language) => this.maker.not(language));
    const parts = [...lengths, ...patterns, ...formats, ...others];
    return parts.length === 0 ? this.any : this.maker.all(parts);
  }

  /** Texts in which a pattern matches somewhere. */
  pattern(source: string, path: string): Regular {
    const known = this.#patterns.get(source);
    if (known !== undefined) return known;
    let parsed: Regular;
    try {
      parsed = parsePattern(source, this.maker, { covers: "part" });
    } catch (error) {
      if (!(error instanceof FormError)) throw error;
      throw new FormError(
        at(path),
        `${error.where}: ${error.problem}`,
        "write the pattern without it",
      );
    }
    this.#patterns.set(source, parsed);
    return parsed;
  }

  /** Whether a text is in a language. */
  has(language: Regular, text: string): boolean {
    let rest = language;
    if (rest === this.any) return true;
    for (const character of text) {
      rest = this.maker.derivative(rest, character.codePointAt(0) ?? 0);
      if (rest === this.maker.nothing) return false;
    }
    return rest.isNullable;
  }

  #format(name: string, path: string): readonly Regular[] {
    if (silentFormats.has(name) || Object.hasOwn(numberFormats, name)) return [];
    const pattern = Object.hasOwn(formatPatterns, name) ? formatPatterns[name] : undefined;
    if (pattern === undefined) {
      const known = Object.keys(formatPatterns).join(", ");
      throw new FormError(
        at(path),
        `"${name}" is no format that is known`,
        `the formats are ${known}`,
      );
    }
    const language =
      this.#patterns.get(`format ${name}`) ?? parsePattern(pattern, this.maker, { covers: "all" });
    this.#patterns.set(`format ${name}`, language);
    return [language];
  }
}
