/**
 * How values are written in an answer: JSON as JSON.stringify writes it, with one space or none behind each comma and
 * colon. Characters stand for themselves except the quote, the backslash and the controls, which are escaped.
 */
import { type CodePoints, complement, hasCodePoint, intersection, utf8Of } from "../code-points.ts";
import { choice, type Expression, sequence, text } from "../expression.ts";
import type { Json } from "./document.ts";

const escaped: CodePoints = [0, 0x1f, 0x22, 0x22, 0x5c, 0x5c];
const plain = complement(escaped);

/** One character of a set inside a string. */
export function jsonCharacter(set: CodePoints): Expression {
  const options = [utf8Of(intersection(set, plain))];
  for (let point = 0; point <= 0x5c; point++) {
    if (!hasCodePoint(escaped, point) || !hasCodePoint(set, point)) continue;
    options.push(text(JSON.stringify(String.fromCodePoint(point)).slice(1, -1)));
  }
  return choice(options);
}

const space: Expression = { kind: "repeat", body: text(" "), least: 0, most: 1, isGap: true };
export const comma: Expression = sequence(text(","), space);
export const colon: Expression = sequence(text(":"), space);
export const quote: Expression = text('"');

/** One value. Lone surrogates in strings cannot be written. */
export function literal(value: Json): Expression {
  if (Array.isArray(value)) {
    return sequence(text("["), ...separated(value.map(literal)), text("]"));
  }
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value).map(([key, each]) =>
      sequence(text(JSON.stringify(key)), colon, literal(each)),
    );
    return sequence(text("{"), ...separated(members), text("}"));
  }
  return text(JSON.stringify(value));
}

function separated(parts: readonly Expression[]): readonly Expression[] {
  return parts.flatMap((part, at) => (at === 0 ? [part] : [comma, part]));
}
