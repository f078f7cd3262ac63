/**
 * Forms made of forms, as data: texts with marks, values, and free text in which a mark begins something of a form. So
 * an answer's thoughts are free, what follows them is not, and a call of a tool is one from its mark on.
 */
import { FormError } from "../core/errors.ts";
import {
  choice,
  type Expression,
  emptyText,
  type Grammar,
  GrammarBuilder,
  optional,
  repeat,
  sequence,
} from "./expression.ts";
import type { FormSource } from "./form.ts";
import { markedText, type Opening } from "./marked-text.ts";

export type Outline =
  /** As it stands, marks in the vocabulary's own tokens. */
  | { readonly kind: "text"; readonly text: string }
  /** The same, but line breaks in it may be missing, and spaces in front and behind colons and commas. */
  | { readonly kind: "loose"; readonly text: string }
  | { readonly kind: "sequence"; readonly parts: readonly Outline[] }
  | { readonly kind: "choice"; readonly options: readonly Outline[] }
  | { readonly kind: "any-number"; readonly body: Outline }
  /** Any text up to this mark, and the mark. */
  | { readonly kind: "until"; readonly mark: string }
  /** Any text, in which a mark is followed by what it opens. */
  | { readonly kind: "free"; readonly openings: readonly OutlineOpening[] }
  /** `orElse`: instead of a form that cannot be kept. */
  | {
      readonly kind: "form";
      readonly form: Exclude<FormSource, { readonly kind: "outline" }>;
      readonly orElse?: Exclude<FormSource, { readonly kind: "outline" }>;
    };

interface OutlineOpening {
  readonly mark: string;
  /** It counts at the beginning of the text alone. */
  readonly isFirst?: boolean;
  readonly body: Outline;
  /** Nothing follows what it opens. */
  readonly isLast?: boolean;
}

/** What an outline is written out with. */
export interface OutlineUse {
  readonly grammarOf: (
    source: Exclude<FormSource, { readonly kind: "outline" }>,
    write: (text: string) => Expression,
  ) => Grammar;
  /** How a vocabulary writes a text, its own way first: its control tokens, or their names in letters. */
  readonly spellingsOf: (text: string) => readonly Uint8Array[];
}

/** @throws FormError of the forms in it that cannot be kept */
export function outlineGrammar(outline: Outline, use: OutlineUse): Grammar {
  const builder = new GrammarBuilder();
  const root = builder.declare("answer");
  builder.define(root, expressionOf(outline, builder, use));
  return builder.build(root);
}

function expressionOf(outline: Outline, builder: GrammarBuilder, use: OutlineUse): Expression {
  const inner = (each: Outline): Expression => expressionOf(each, builder, use);
  switch (outline.kind) {
    case "text":
      return written(outline.text, use);
    case "loose":
      return loosely(outline.text, use);
    case "sequence":
      return sequence(...outline.parts.map(inner));
    case "choice":
      return choice(outline.options.map(inner));
    case "any-number":
      return repeat(inner(outline.body), 0, Number.POSITIVE_INFINITY);
    case "until": {
      const bytes = use.spellingsOf(outline.mark);
      const openings = bytes.map((mark) => ({ mark, isFirst: false, body: emptyText }));
      return markedText(openings, builder, { mayEnd: false });
    }
    case "free":
      return freeText(outline.openings, builder, use);
    case "form":
      return formExpression(outline, builder, use);
    default:
      return outline satisfies never;
  }
}

function loosely(text: string, use: OutlineUse): Expression {
  return sequence(
    ...text.split(/(\n|(?<=[:,]) |^ )/).map((part) => {
      const expression = written(part, use);
      return part === "\n" || part === " " ? optional(expression) : expression;
    }),
  );
}

function written(text: string, { spellingsOf }: OutlineUse): Expression {
  const [bytes = new Uint8Array()] = spellingsOf(text);
  return { kind: "text", bytes };
}

function freeText(
  openings: readonly OutlineOpening[],
  builder: GrammarBuilder,
  use: OutlineUse,
): Expression {
  const again = builder.declare("text");
  const opened = openings.flatMap(({ mark, isFirst = false, body, isLast = false }) => {
    const inside = builder.add("opened by a mark", expressionOf(body, builder, use));
    const rest: Expression = isLast ? inside : sequence(inside, { kind: "rule", rule: again });
    return use.spellingsOf(mark).map((bytes): Opening => ({ mark: bytes, isFirst, body: rest }));
  });
  const later = opened.filter(({ isFirst }) => !isFirst);
  builder.define(again, markedText(later, builder, { mayEnd: true }));
  return markedText(opened, builder, { mayEnd: true });
}

function formExpression(
  { form, orElse }: Extract<Outline, { kind: "form" }>,
  builder: GrammarBuilder,
  use: OutlineUse,
): Expression {
  const write = (text: string): Expression => loosely(text, use);
  try {
    return embedded(use.grammarOf(form, write), builder);
  } catch (error) {
    if (orElse === undefined || !(error instanceof FormError)) throw error;
    return embedded(use.grammarOf(orElse, write), builder);
  }
}

/** A grammar among the rules of another. */
function embedded(grammar: Grammar, builder: GrammarBuilder): Expression {
  const offset = builder.ruleCount;
  for (const { name } of grammar.rules) builder.declare(name);
  for (const [index, { body }] of grammar.rules.entries()) {
    builder.define(offset + index, withOffset(body, offset));
  }
  return { kind: "rule", rule: offset + grammar.root };
}

/** The same where all rules have moved. */
function withOffset(body: Expression, offset: number): Expression {
  switch (body.kind) {
    case "bytes":
    case "text":
      return body;
    case "rule":
      return { kind: "rule", rule: body.rule + offset };
    case "sequence":
      return { kind: "sequence", parts: body.parts.map((part) => withOffset(part, offset)) };
    case "choice":
      return { kind: "choice", options: body.options.map((one) => withOffset(one, offset)) };
    case "repeat":
    case "code":
      return { ...body, body: withOffset(body.body, offset) };
    default:
      return body satisfies never;
  }
}
