/** The matcher of pre-tokenizers against V8's, and where V8's gives up. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runAtOnce } from "../core/pausable.ts";
import { compileExpression } from "./expression.ts";
import { eachPiece, findPreTokenizer, preTokenizerNames } from "./pre-tokenizers.ts";
import { bitsOfCodePoint, classBits } from "./unicode-classes.ts";

const classNames = ["L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "N", "P", "S", "White_Space"];

describe("the classes of characters", () => {
  it.each(classNames)("are those of Node for every character that Unicode 15.1 has: %s", (name) => {
    const bits = classBits(name) ?? 0;
    const pattern = new RegExp(`^\\p{${name}}$`, "u");
    const known = classNames.reduce((all, one) => all | (classBits(one) ?? 0), 0);
    let members = 0;
    for (let point = 0; point < 0x110000; point++) {
      const own = bitsOfCodePoint[point] ?? 0;
      if ((own & known) === 0 || point === changedSince) continue;
      const isMember = (own & bits) !== 0;
      members += isMember ? 1 : 0;
      if (pattern.test(String.fromCodePoint(point)) === isMember) continue;
      expect.fail(`U+${point.toString(16)}: ${isMember} in the table`);
    }
    expect(members).toBeGreaterThan(5);
  });

  /** A letter without case since Unicode 16; before, a small one. */
  const changedSince = 0x295;

  it("have no member that was assigned after Unicode 15.1", () => {
    // Cyrillic TJE and an Arabic mark of 16.0, a letter of 17.0, and the last ideograph of 15.1 and of 17.0.
    const bits = [0x1c89, 0x897, 0xa7ce, 0x2ee5d, 0x323b0].map((point) => bitsOfCodePoint[point]);
    expect(bits).toEqual([0, 0, 0, classBits("Lo"), 0]);
    expect(bitsOfCodePoint[changedSince]).toBe(classBits("Ll"));
  });
});

/** Pieces by V8, expression after expression over all pieces, as the pre-tokenizers are defined. */
function piecesByRegExp(text: string, expressions: readonly string[]): string[] {
  let pieces = [text];
  for (const expression of expressions) {
    const unicode = expression
      .replaceAll("\\s", "\\p{White_Space}")
      .replaceAll("\\S", "\\P{White_Space}");
    const pattern =
      expression === "digit triples"
        ? /\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))/gu
        : new RegExp(unicode, "gu");
    pieces = pieces.flatMap((piece) => {
      const finer: string[] = [];
      let end = 0;
      for (const match of piece.matchAll(pattern)) {
        if (match.index > end) finer.push(piece.slice(end, match.index));
        finer.push(match[0]);
        end = match.index + match[0].length;
      }
      return end < piece.length ? [...finer, piece.slice(end)] : finer;
    });
  }
  return pieces;
}

function piecesOf(name: string, text: string): string[] {
  const pieces: string[] = [];
  const { cuts = [] } = findPreTokenizer(name) ?? {};
  runAtOnce(eachPiece(text, cuts, (start, end) => pieces.push(text.slice(start, end))));
  return pieces;
}

const alphabets = {
  csv: [..."0123456789", ",", ";", ".", "\n", "\r\n", "-", '"'],
  underscores: ["_", "__", "a", "B", "9", "-", "/"],
  prose: [..."aeIOst", "'s", "'LL", "'re", " ", "  ", "\n", "\t", ".", "!?", "12345"],
  cjk: [..."中文字かなカナ한글ｱ。、「」", " ", "1", "a"],
  space: [" ", "\n", "\r", "\t", "\u00a0", "\u0085", "\u3000", "\u2028", "\ufeff", "x"],
  symbols: [..."$+<=>^~|`#@&*(){}[]\\", "€", "¼", "½", "Ⅷ", "²", "٣", "a"],
  scripts: ["é", "É", "ß", "ǅ", "ʰ", "ه", "ा", "क", "ไ", "ྭ", "Ω", "ё", "ﬁ", "e\u0301"],
  emoji: ["😀", "👩‍👩‍👧", "🏳️‍🌈", "❤️", "𝔘", "𐐀", "🄰", " ", "a"],
};

const texts = fc.oneof(
  ...Object.values(alphabets).map((unit) =>
    fc.string({ unit: fc.constantFrom(...unit), maxLength: 60 }),
  ),
  fc.string({ unit: fc.constantFrom(...Object.values(alphabets).flat()), maxLength: 60 }),
);

describe("the pieces of a text", () => {
  it.each(preTokenizerNames())("are those of V8's expressions: %s", (name) => {
    const { expressions = [] } = findPreTokenizer(name) ?? {};
    expect(expressions.length).toBeGreaterThan(0);
    fc.assert(
      fc.property(texts, (text) => {
        expect(piecesOf(name, text)).toEqual(piecesByRegExp(text, expressions));
      }),
      { seed: 13, numRuns: 100 },
    );
  });

  /** More than 262 144 characters, at which texts were once cut wherever they stood. */
  it.each(Object.entries(alphabets))(
    "are the same in a text of 300 000 characters: %s",
    (_, unit) => {
      const [text = ""] = fc
        .sample(
          fc.array(fc.constantFrom(...unit.filter((each) => each !== " ")), {
            minLength: 3000,
            maxLength: 3000,
          }),
          { seed: 7, numRuns: 1 },
        )
        .map((parts) => parts.join(""));
      const long = text.repeat(Math.ceil(300_000 / text.length));
      for (const name of ["default", "gpt-4o"]) {
        const { expressions = [] } = findPreTokenizer(name) ?? {};
        const expected = piecesByRegExp(long, expressions);
        const found = piecesOf(name, long);
        expect(found.length).toBe(expected.length);
        expect(found.every((piece, index) => piece === expected[index])).toBe(true);
      }
    },
  );

  it.each(["é", "中", "_", " ", "1", "😀", "\n"])("may have millions of characters: %j", (unit) => {
    const text = unit.repeat(2_000_000);
    const { cuts = [] } = findPreTokenizer("gpt-4o") ?? {};
    let end = 0;
    runAtOnce(
      eachPiece(text, cuts, (_, to) => {
        end = to;
      }),
    );
    expect(end).toBe(text.length);
  });
});

describe("an expression", () => {
  it.each([
    ["a(?:b|c)?d", "acd", 3],
    ["a*ab", "aaab", 4],
    ["[^a-c\\]-]{2,3}", "xyzw", 3],
    ["\\s+$", "  x", -1],
    ["(?<!\\s)x", "x", 1],
    ["\\u{1F600}+", "😀😀", 4],
    ["[\\xe9\\u4e2d]+", "é中", 2],
  ])("%s on %j", (source, text, end) => {
    expect(compileExpression(source)(text, 0)).toBe(end);
  });

  it("of another kind is no expression", () => {
    expect(() => compileExpression("\\p{Greek}")).toThrow(SyntaxError);
    expect(() => compileExpression("(?:a")).toThrow(SyntaxError);
    expect(() => compileExpression("a)")).toThrow(SyntaxError);
  });
});
