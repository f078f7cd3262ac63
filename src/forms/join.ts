/** Forms made of forms: one of several sequences of texts and of values of JSON schemas. */
import {
  choice,
  type Expression,
  type Grammar,
  GrammarBuilder,
  sequence,
  text,
} from "./expression.ts";

/** A text as it stands, or a form. */
type Part = string | Grammar;

/** A text of one of these sequences, whole. */
export function joinGrammars(sequences: readonly (readonly Part[])[]): Grammar {
  const builder = new GrammarBuilder();
  const root = builder.declare("one of several");
  const options = sequences.map((parts) =>
    sequence(...parts.map((part) => expressionOf(part, builder))),
  );
  builder.define(root, choice(options));
  return builder.build(root);
}

function expressionOf(part: Part, builder: GrammarBuilder): Expression {
  if (typeof part === "string") return text(part);
  const offset = builder.ruleCount;
  for (const { name } of part.rules) builder.declare(name);
  for (const [index, { body }] of part.rules.entries()) {
    builder.define(offset + index, withOffset(body, offset));
  }
  return { kind: "rule", rule: offset + part.root };
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
