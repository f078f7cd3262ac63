/**
 * A JSON schema as a grammar: every keyword is kept by the grammar or refused by name (FormError). The grammar writes
 * every valid value in one spelling (spelling.ts) with its properties in the order of the schema, and no other text.
 */
import { FormError } from "../../core/errors.ts";
import type { Dialect } from "../../text/replies/call-grammar.ts";
import { expressionOf } from "../automaton.ts";
import { type CodePoints, utf8Of } from "../code-points.ts";
import {
  choice,
  type Expression,
  type Grammar,
  GrammarBuilder,
  sequence,
  text,
} from "../expression.ts";
import { type Regular, RegularMaker } from "../regular.ts";
import { arrayExpression } from "./arrays.ts";
import { type Case, CaseFinder, type OpenCase } from "./cases.ts";
import { Disjointness } from "./disjoint.ts";
import { at, SchemaDocument, type SchemaNode } from "./document.ts";
import { enumOf } from "./enums.ts";
import { type NumberLimits, numberExpression } from "./numbers.ts";
import { keywordMembers, objectExpression } from "./objects.ts";
import { bareName, quotedCharacter, Spelling } from "./spelling.ts";
import { StringLanguages } from "./strings.ts";
import { escapedPattern, type Tags, taggedMembers } from "./tagged.ts";
import { numberLimits, typesOfOpen } from "./types.ts";

/** Combinations of schemas: a schema of 10 MB has fewer. */
const maxRules = 200_000;

/** @throws FormError naming the keyword that cannot be kept, or what is wrong. */
export function schemaGrammar(source: unknown): Grammar {
  return new SchemaTranslator(new SchemaDocument(source)).translate();
}

/** The properties of an object between tags: see tagged.ts. @throws FormError as `schemaGrammar` */
export function taggedGrammar(source: unknown, tags: Tags): Grammar {
  return new SchemaTranslator(new SchemaDocument(source)).translate((root, use) =>
    taggedMembers(root, use, tags),
  );
}

/**
 * The arguments of a call in a dialect: for Python the properties that have names, without what stands around them.
 * `write`: a text with marks. @throws FormError as `schemaGrammar`
 */
export function dialectGrammar(
  source: unknown,
  dialect: Dialect,
  write: (text: string) => Expression,
): Grammar {
  const translator = new SchemaTranslator(new SchemaDocument(source), new Spelling(dialect, write));
  return dialect.kind === "python" ? translator.translate(keywordMembers) : translator.translate();
}

/** What arrays and objects need of the translation of the whole. */
export interface Translation {
  readonly document: SchemaDocument;
  readonly builder: GrammarBuilder;
  readonly languages: StringLanguages;
  readonly finder: CaseFinder;
  readonly spelling: Spelling;
  /** The cases of schemas that hold at once. */
  casesOf(nodes: readonly SchemaNode[]): readonly Case[];
  /** The same, with choices left open where they can be. */
  openCasesOf(nodes: readonly SchemaNode[]): readonly OpenCase[];
  /** Whether no value keeps all schemas, proved. */
  isEmpty(nodes: readonly SchemaNode[]): boolean;
  /** A value that all schemas hold for. */
  valueOf(nodes: readonly SchemaNode[]): Expression;
  /** A string of a language, in quotes. */
  stringOf(language: Regular, where: string): Expression;
  /** The name of a property, of a language. */
  nameOf(language: Regular, where: string): Expression;
}

class SchemaTranslator implements Translation {
  readonly document: SchemaDocument;
  readonly builder: GrammarBuilder = new GrammarBuilder();
  readonly languages: StringLanguages = new StringLanguages(new RegularMaker());
  readonly finder: CaseFinder;
  readonly #disjointness: Disjointness;
  readonly #rules: Map<string, number> = new Map();
  readonly #waiting: { readonly rule: number; readonly nodes: readonly SchemaNode[] }[] = [];
  readonly #strings: Map<Regular, Expression> = new Map();
  /** By their limits. */
  readonly #numbers: Map<string, Expression> = new Map();
  /** By the quote and the set itself: equal ones of one language are one object. */
  readonly #characters: Map<string, Map<CodePoints, Expression>> = new Map();
  readonly spelling: Spelling;

  constructor(document: SchemaDocument, spelling: Spelling = new Spelling(undefined)) {
    this.document = document;
    this.spelling = spelling;
    this.finder = new CaseFinder(document);
    this.#disjointness = new Disjointness(this);
  }

  /** `write`: the outermost value. */
  translate(
    write: (root: SchemaNode, use: Translation) => Expression = (root) => this.valueOf([root]),
  ): Grammar {
    const value = write(this.document.root, this);
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop()) {
      this.builder.define(next.rule, this.#define(next.nodes));
    }
    const start = this.builder.declare("schema");
    this.builder.define(start, value);
    return this.builder.build(start);
  }

  casesOf(nodes: readonly SchemaNode[]): readonly Case[] {
    return this.finder.casesOf(nodes, [], (found) => this.#disjointness.exclusive(found));
  }

  openCasesOf(nodes: readonly SchemaNode[]): readonly OpenCase[] {
    return this.finder.openCasesOf(nodes, (found) => this.#disjointness.exclusive(found));
  }

  isEmpty(nodes: readonly SchemaNode[]): boolean {
    return this.#disjointness.isEmpty(nodes);
  }

  valueOf(nodes: readonly SchemaNode[]): Expression {
    const distinct = [...new Set(nodes)].sort((one, other) => one.id - other.id);
    const key = distinct.map(({ id }) => id).join();
    const known = this.#rules.get(key);
    if (known !== undefined) return { kind: "rule", rule: known };
    const path = distinct[0]?.path ?? "#";
    if (this.#rules.size >= maxRules) {
      throw new FormError(
        at(path),
        "combines too many schemas",
        "use fewer allOf and anyOf at once",
      );
    }
    const rule = this.builder.declare(at(path));
    this.#rules.set(key, rule);
    this.#waiting.push({ rule, nodes: distinct });
    return { kind: "rule", rule };
  }

  stringOf(language: Regular, where: string): Expression {
    const known = this.#strings.get(language);
    if (known !== undefined) return known;
    const { mark, dialect } = this.spelling;
    const options =
      mark === undefined
        ? [this.#quoted(language, '"', where)]
        : [this.#marked(language, mark, where)];
    if (dialect?.kind === "python") options.push(this.#quoted(language, "'", where));
    const string = this.builder.add(where, choice(options));
    this.#strings.set(language, string);
    return string;
  }

  nameOf(language: Regular, where: string): Expression {
    if (this.spelling.dialect?.kind !== "braces") return this.stringOf(language, where);
    const bare = this.languages.pattern(bareName, where);
    return this.#plain(this.languages.maker.all([language, bare]), where);
  }

  #quoted(language: Regular, quote: string, where: string): Expression {
    const { maker } = this.languages;
    const { builder } = this;
    const spelling = (set: CodePoints): Expression => this.#characterOf(set, quote);
    const inside = expressionOf(language, { maker, builder, spelling, where });
    return sequence(text(quote), inside, text(quote));
  }

  #marked(language: Regular, mark: NonNullable<Spelling["mark"]>, where: string): Expression {
    const { maker } = this.languages;
    const withMark = this.languages.pattern(escapedPattern(mark.text), where);
    const inside = this.#plain(maker.all([language, maker.not(withMark)]), where);
    return sequence(mark.written, inside, mark.written);
  }

  /** As it is. */
  #plain(language: Regular, where: string): Expression {
    const { maker } = this.languages;
    return expressionOf(language, { maker, builder: this.builder, spelling: utf8Of, where });
  }

  /** Characters of one set are one expression: repeats of them share their masks. */
  #characterOf(set: CodePoints, quote: string): Expression {
    const ofQuote = this.#characters.get(quote) ?? new Map<CodePoints, Expression>();
    this.#characters.set(quote, ofQuote);
    const character = ofQuote.get(set) ?? quotedCharacter(set, quote);
    ofQuote.set(set, character);
    return character;
  }

  #numberOf(limits: NumberLimits, where: string): Expression {
    const key = Object.values(limits).join();
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.builder.add(where, numberExpression(limits, this.builder, where));
    this.#numbers.set(key, number);
    return number;
  }

  #define(nodes: readonly SchemaNode[]): Expression {
    return choice(this.openCasesOf(nodes).map((each) => this.#case(each)));
  }

  #case(open: OpenCase): Expression {
    const { of } = open;
    const values = enumOf(of, this);
    if (values !== undefined) return choice(values.map((value) => this.spelling.literal(value)));
    const types = typesOfOpen(open);
    const path = of[0]?.path ?? "#";
    const options: Expression[] = [];
    if (types.has("null")) options.push(this.spelling.word(null));
    if (types.has("boolean")) options.push(this.spelling.word(true), this.spelling.word(false));
    if (types.has("integer") || types.has("number")) {
      options.push(this.#numberOf(numberLimits(of, types), at(path)));
    }
    if (types.has("string")) options.push(this.stringOf(this.languages.of(of), at(path)));
    if (types.has("array")) options.push(arrayExpression(of, this));
    if (types.has("object")) options.push(objectExpression(open, this));
    return choice(options);
  }
}
