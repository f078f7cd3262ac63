/** Masks against reading every token of a vocabulary from the state that an answer is in. */
import { describe, expect, it } from "vitest";
import { runAtOnce } from "../core/pausable.ts";
import { createRandom } from "../core/random.ts";
import { makeTokenTrie, type TokenTrie } from "../text/token-trie.ts";
import type { FormConstraint } from "./constraint.ts";
import { Form, type FormSource } from "./form.ts";

/** All bytes, and pieces that end strings, begin others, or are parts of characters. */
const pieces: readonly Uint8Array[] = [
  ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
  ...[
    '{"',
    '"}',
    '":',
    '": "',
    '", "',
    '",',
    '"]',
    "},{",
    '"},{"a":',
    "[[",
    "]]",
    "true",
    "null",
    "12",
    "1.5",
    "-1",
    "name",
    "nam",
    'e":',
    "abc",
    "abcdef",
    "aaaaaaaaaaaa",
    "  ",
    " a",
    " ",
    ', "',
    '\\"',
    "\\n",
    "\\u00",
    "é",
    "😀a",
    "2024-",
    "-02-29",
    "a@b.c",
    "--",
    "a--",
    "c-\n",
    "<end>",
  ].map((text) => Buffer.from(text)),
  Uint8Array.of(0xc3),
  Uint8Array.of(0xa9, 0x22),
  Uint8Array.of(0xf0, 0x9f),
];
const endToken = pieces.findIndex((piece) => Buffer.from(piece).toString() === "<end>");

function trieOf(list: readonly Uint8Array[]): TokenTrie {
  return runAtOnce(
    makeTokenTrie({
      vocabularySize: list.length,
      pieces: { bytesOf: (id) => list[id] ?? new Uint8Array(), isHidden: (id) => id === endToken },
    }),
  );
}

/** The longest piece first, as a tokenizer without merges has it. */
function encode(text: string): readonly number[] {
  const ids: number[] = [];
  for (let rest = Buffer.from(text); rest.length > 0; ) {
    const fitting = pieces
      .map((piece, id) => ({ piece, id }))
      .filter(({ piece, id }) => {
        return id !== endToken && Buffer.compare(rest.subarray(0, piece.length), piece) === 0;
      });
    const [longest] = fitting.sort((one, other) => other.piece.length - one.piece.length);
    if (longest === undefined) throw new Error(`no piece begins ${rest}`);
    ids.push(longest.id);
    rest = rest.subarray(longest.piece.length);
  }
  return ids;
}

function written(tokens: readonly number[]): readonly string[] {
  return tokens.map((id) => Buffer.from(pieces[id] ?? []).toString());
}

const forms: Readonly<Record<string, FormSource>> = {
  anything: { kind: "schema", schema: true },
  person: {
    kind: "schema",
    schema: {
      type: "object",
      properties: {
        name: { type: "string", minLength: 1, maxLength: 9 },
        age: { type: "integer", minimum: 0, maximum: 120 },
        mail: { type: "string", format: "email" },
        list: { type: "array", items: { enum: ["a", "abc", 12, null] }, maxItems: 3 },
      },
      required: ["name", "list"],
    },
  },
  limited: {
    kind: "schema",
    schema: { type: "array", items: { type: "string", maxLength: 2 }, minItems: 2 },
  },
  words: { kind: "regex", regex: "(?:[a-z]{1,12} ){2,5}[é😀]*" },
  ambiguous: {
    kind: "grammar",
    grammar: 'root ::= (word " "?){1,4} "."?\nword ::= [a-c]{1,20} | "a"* | "name"',
  },
  marked: { kind: "grammar", grammar: 'root ::= (line "\\n")+\nline ::= [a-c]{1,20} "-"?' },
};

function isIn(mask: Uint32Array, id: number): boolean {
  return (((mask[id >> 5] ?? 0) >>> (id & 31)) & 1) === 1;
}

/** The ids that one constraint allows by its mask, and by reading each. */
function allowed(constraint: FormConstraint): { byMask: number[]; byReading: number[] } {
  const mask = new Uint32Array(Math.ceil(pieces.length / 32) + 1).fill(0xffffffff);
  constraint.mask(mask);
  const ids = pieces.map((_, id) => id);
  const byReading = ids.filter((id) => {
    if (id === endToken) return constraint.isComplete;
    const isAccepted = constraint.accept(id);
    if (isAccepted) constraint.rollback(1);
    return isAccepted;
  });
  expect(mask.at(-1)).toBe(0);
  return { byMask: ids.filter((id) => isIn(mask, id)), byReading };
}

describe("a constraint", () => {
  const trie = trieOf(pieces);
  const vocabulary = { trie: () => trie, spellingsOf: (text: string) => [Buffer.from(text)] };

  for (const [name, source] of Object.entries(forms)) {
    it(`masks exactly the tokens that it accepts, wherever an answer is (${name})`, () => {
      const form = new Form(source, vocabulary);
      const random = createRandom(7);
      let steps = 0;
      for (let answer = 0; answer < 12; answer++) {
        const dropsSpaceAfter = (token: number | undefined): boolean => {
          return answer % 3 === 0 && token === undefined;
        };
        const constraint = form.constrain({ endTokens: [endToken], dropsSpaceAfter, encode });
        for (let step = 0; step < 30 && !constraint.isDone; step++) {
          const { byMask, byReading } = allowed(constraint);
          expect(byMask).toEqual(byReading);
          expect(byMask.length).toBeGreaterThan(0);
          const next = byMask.filter((id) => id !== endToken);
          const token = next[Math.floor(random.uniform() * next.length)];
          if (token === undefined || !constraint.accept(token)) break;
          steps++;
        }
      }
      expect(steps).toBeGreaterThan(40);
    });
  }

  it("takes back tokens, and goes on as if they had never come", () => {
    const form = new Form(forms["person"] ?? { kind: "regex", regex: "" }, vocabulary);
    const constraint = form.constrain({
      endTokens: [endToken],
      dropsSpaceAfter: () => false,
      encode,
    });
    const read = (text: string): void => {
      for (const byte of Buffer.from(text)) expect(constraint.accept(byte)).toBe(true);
    };
    read('{"name":"');
    const before = allowed(constraint);
    read("abc");
    constraint.rollback(3);
    expect(allowed(constraint)).toEqual(before);
    expect(constraint.accept('"'.charCodeAt(0))).toBe(false);
    constraint.rollback(1000);
    read('{"name"');
  });

  it("says which text must come, and that nothing may follow", () => {
    const schema = {
      type: "object",
      properties: { kind: { const: "x" } },
      required: ["kind"],
      additionalProperties: false,
    };
    const form = new Form({ kind: "schema", schema }, vocabulary);
    const constraint = form.constrain({
      endTokens: [endToken],
      dropsSpaceAfter: () => false,
      encode,
    });
    // Whether a space follows the colon is the model's choice, and `":` might become `": "`.
    expect(written(constraint.forced())).toEqual(['{"', "k", "i", "n", "d"]);
    for (const byte of Buffer.from('{"kind": ')) constraint.accept(byte);
    expect(written(constraint.forced())).toEqual(['"', "x", '"}']);
    for (const byte of Buffer.from('"x"}')) constraint.accept(byte);
    expect([constraint.isDone, constraint.isComplete]).toEqual([true, true]);
    expect(constraint.forced()).toEqual([]);
    expect(allowed(constraint).byMask).toEqual([endToken]);
  });

  it("writes what must come as the tokenizer does, with spaces as at the last gap, up to what might be a longer token", () => {
    const names = { type: "array", items: { const: "é" }, minItems: 3, maxItems: 3 };
    const schema = {
      type: "object",
      properties: { name: names, abc: { enum: ["abcdef", "abcdxy"] } },
      required: ["name", "abc"],
      additionalProperties: false,
    };
    const form = new Form({ kind: "schema", schema }, vocabulary);
    const forcedAfter = (text: string): readonly string[] => {
      const constraint = form.constrain({
        endTokens: [endToken],
        dropsSpaceAfter: () => false,
        encode,
      });
      for (const byte of Buffer.from(text)) expect(constraint.accept(byte)).toBe(true);
      return written(constraint.forced());
    };
    // Spaced, then not; `abc` might become `abcdef`.
    const quoted = ["é", '", "', "é", '", "', "é"];
    expect(forcedAfter('{"name": ')).toEqual(["[", '"', ...quoted, '"]', ', "', "abc", '": "']);
    const tight = ["é", '",', '"', "é", '",', '"', "é"];
    expect(forcedAfter('{"name":')).toEqual([]);
    expect(forcedAfter('{"name":[')).toEqual(['"', ...tight, '"]', ",", '"', "abc", '":', '"']);
  });

  it("forces nothing where a token that loses its space might come first", () => {
    const form = new Form({ kind: "regex", regex: "abcdef!" }, vocabulary);
    const constraint = form.constrain({
      endTokens: [],
      dropsSpaceAfter: (token) => token === undefined,
      encode,
    });
    expect(constraint.forced()).toEqual([]);
    constraint.accept("a".charCodeAt(0));
    expect(written(constraint.forced())).toEqual([..."bcdef!"]);
  });

  it("goes on after it has forgotten what it had found", () => {
    const form = new Form(
      { kind: "schema", schema: { type: "string", maxLength: 30_000 } },
      vocabulary,
    );
    const constraint = form.constrain({
      endTokens: [endToken],
      dropsSpaceAfter: () => false,
      encode,
    });
    constraint.accept(0x22);
    for (let i = 0; i < 21_000; i++) expect(constraint.accept(0x61)).toBe(true);
    const { byMask, byReading } = allowed(constraint);
    expect(byMask).toEqual(byReading);
    expect(form.accepts(`"${"x".repeat(30_000)}"`)).toBe(true);
    expect(form.accepts(`"${"x".repeat(30_001)}"`)).toBe(false);
  });
});
