/** Patterns against JavaScript's own engine. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FormError } from "../core/errors.ts";
import { formOf, schemaForm } from "./fixture.ts";
import type { FormSource } from "./form.ts";

const atoms = fc.constantFrom(
  "a",
  "b",
  ".",
  "[ab]",
  "[^a]",
  "\\d",
  "\\w",
  "\\S",
  "é",
  "\\u0062",
  "\\.",
  "-",
);
/** `npm run prove:forms` takes more. */
const runs = process.env["HEARTH_FORMS"] === undefined ? 40 : 400;
const quantifiers = fc.constantFrom("", "*", "+", "?", "{2}", "{1,2}", "{0,3}?", "{2,}", "+?");

const patterns: fc.Arbitrary<string> = fc.letrec<{ pattern: string; term: string }>((tie) => ({
  pattern: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.array(tie("term"), { maxLength: 4 }).map((terms) => terms.join("")),
    fc.tuple(tie("pattern"), tie("pattern")).map(([one, other]) => `${one}|${other}`),
  ),
  term: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.tuple(atoms, quantifiers).map((parts) => parts.join("")),
    fc.tuple(tie("pattern"), quantifiers).map(([inner, count]) => `(?:${inner})${count}`),
    fc
      .tuple(tie("pattern"), quantifiers)
      .map(([inner, count]) => `(?<n>${inner})${count}`.replace("?<n>", "")),
  ),
})).pattern;

const texts = fc.array(fc.constantFrom("a", "b", "1", "é", "-", ".", "\n", "😀", "_"), {
  maxLength: 7,
});

/** Several that hold at once have the product of their states. */
const shortPatterns = fc
  .array(
    fc.tuple(atoms, fc.constantFrom("", "*", "+", "?")).map((parts) => parts.join("")),
    { maxLength: 3 },
  )
  .map((terms) => terms.join(""));

/** Nothing matches a pattern that contradicts itself, which is refused. */
function matcherOf(source: FormSource): (text: string) => boolean {
  try {
    const form = formOf(source);
    return (text) => form.accepts(text);
  } catch (error) {
    if (error instanceof FormError && error.problem === "no finite text matches it")
      return () => false;
    throw error;
  }
}

describe("a regular expression as a form", () => {
  it("matches whole texts as JavaScript does", () => {
    let matched = 0;
    fc.assert(
      fc.property(patterns, fc.array(texts, { minLength: 6 }), (pattern, lists) => {
        const form = formOf({ kind: "regex", regex: pattern });
        const own = new RegExp(`^(?:${pattern})$`, "u");
        for (const text of lists.map((list) => list.join(""))) {
          if (own.test(text)) matched++;
          expect({ text, matches: form.accepts(text) }).toEqual({ text, matches: own.test(text) });
        }
      }),
      { numRuns: 60, seed: 3 },
    );
    expect(matched).toBeGreaterThan(30);
  });

  it("matches a part of a schema's string, with anchors where they may be", () => {
    fc.assert(
      fc.property(
        patterns,
        fc.constantFrom("P", "^P", "P$", "^P$", "^(P)|b$", "(^a|P)b"),
        fc.array(texts, { minLength: 6 }),
        (inner, frame, lists) => {
          const pattern = frame.replace("P", () => `(?:${inner})`);
          const form = schemaForm({ type: "string", pattern });
          const own = new RegExp(pattern, "u");
          for (const text of lists.map((list) => list.join(""))) {
            const json = JSON.stringify(text);
            expect({ text, matches: form.accepts(json) }).toEqual({
              text,
              matches: own.test(text),
            });
          }
        },
      ),
      { numRuns: 40, seed: 4 },
    );
  });

  it("looks ahead as JavaScript does", () => {
    let matched = 0;
    fc.assert(
      fc.property(
        fc.tuple(shortPatterns, shortPatterns, shortPatterns),
        fc.constantFrom("(?=A)B", "(?!A)B", "B(?=A)", "B(?!A$)C", "(?=A)(?!B)C", "(?!A|(?=B)C)B"),
        fc.array(texts, { minLength: 6 }),
        ([a, b, c], frame, lists) => {
          const source = frame.replaceAll(/[ABC]/g, (name) =>
            name === "A" ? `(?:${a})` : name === "B" ? `(?:${b})` : `(?:${c})`,
          );
          const whole = matcherOf({ kind: "regex", regex: `(?:${source})` });
          const schema = { type: "string", pattern: `^${source}` };
          const part = matcherOf({ kind: "schema", schema });
          const owns = [new RegExp(`^(?:${source})$`, "u"), new RegExp(`^${source}`, "u")];
          for (const text of lists.map((list) => list.join(""))) {
            const expected = owns.map((own) => own.test(text));
            const found = [whole(text), part(JSON.stringify(text))];
            expect({ text, found }).toEqual({ text, found: expected });
            if (expected[0] === true) matched++;
          }
        },
      ),
      { numRuns: runs, seed: 5 },
    );
    expect(matched).toBeGreaterThan(10);
    const password = "^(?=.*[A-Z])(?=.*\\d)(?!.*\\s).{8,64}$";
    const form = schemaForm({ type: "string", pattern: password });
    expect(
      ["Passw0rd", "password1", "Pass w0rd", "Pw0"].map((text) => form.accepts(`"${text}"`)),
    ).toEqual([true, false, false, false]);
  });

  it("takes no time for patterns that make others backtrack", () => {
    const form = formOf({ kind: "regex", regex: "(a+)+b|(a|a)*c|(a|aa)+d|(.*a){20}e" });
    expect(form.accepts(`${"a".repeat(2000)}d`)).toBe(true);
    expect(form.accepts("a".repeat(2000))).toBe(false);
  });

  it("refuses by name what no automaton can keep", () => {
    for (const [pattern, problem] of [
      ["(?:(?=a)b)+", "look-ahead"],
      ["(?:a(?!b))c", "look-ahead"],
      ["(?=^a)a", "anchor (^) in a look-ahead"],
      ["(?<=a)b", "look-behind"],
      ["(a)\\1", "back reference"],
      ["\\k<n>(?<n>a)", "back reference"],
      ["a\\b", "word boundary"],
      ["a^b", "anchor"],
      ["(?:a$)+", "anchor"],
      ["\\p{Klingon}", "no Unicode property"],
      ["(a", "needs )"],
      ["a)", "without its"],
      ["[b-a]", "end is before"],
      ["*a", "repeats nothing"],
    ] as const) {
      expect(() => formOf({ kind: "regex", regex: pattern })).toThrow(FormError);
      expect(() => formOf({ kind: "regex", regex: pattern })).toThrow(problem);
    }
    expect(() => formOf({ kind: "regex", regex: /a/i })).toThrow(/flag "i"/);
  });
});
