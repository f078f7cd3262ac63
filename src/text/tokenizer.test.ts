import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bytePairRecord,
  characterPairRecord,
  sentencePieceRecord,
} from "../../test/fixtures/small-vocabularies.ts";
import { metadataOf } from "../../test/fixtures/vocabulary-metadata.ts";
import { FileFormatError, UnsupportedError } from "../core/errors.ts";
import { preTokenizerNames } from "./pre-tokenizers.ts";
import { createTokenizer, loadTokenizer, type Tokenizer } from "./tokenizer.ts";

const propertyRuns = { seed: 20240521, numRuns: 300 };

const tokenizerOf = (record: Record<string, unknown>): Tokenizer =>
  createTokenizer(metadataOf(record));
const kinds: readonly [string, Tokenizer][] = [
  ["SentencePiece", tokenizerOf(sentencePieceRecord())],
  ["byte pairs", tokenizerOf(bytePairRecord())],
  ["character pairs", tokenizerOf(characterPairRecord())],
];

const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom("a", "b", "c", " ", "\n", "1", "é", "中", "😀", "\ufeff") }),
);

describe.each(kinds)("%s", (_, tokenizer) => {
  it("any text comes back as it was", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
        expect(tokenizer.decode(tokenizer.encode(text, { parseSpecial: true }))).toBe(text);
      }),
      propertyRuns,
    );
  });

  it("any bytes come back as they were, also where they are no UTF-8", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const ids = tokenizer.encode(bytes, { addBos: "never" });
        const joined = Buffer.concat(ids.map((id) => tokenizer.pieceBytes(id)));
        const prefix = tokenizer.kind === "sentencepiece" && bytes.length > 0 ? " " : "";
        expect(joined.toString("latin1")).toBe(prefix + Buffer.from(bytes).toString("latin1"));
      }),
      propertyRuns,
    );
  });

  it("a text and its bytes are the same ids", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(tokenizer.encode(Buffer.from(text))).toEqual(tokenizer.encode(text));
      }),
      propertyRuns,
    );
  });

  it("streaming any tokens gives the text of decoding them at once", () => {
    const anyIds = fc.array(fc.integer({ min: 0, max: tokenizer.vocabularySize - 1 }));
    fc.assert(
      fc.property(anyIds, (ids) => {
        const detokenizer = tokenizer.createDetokenizer();
        const parts = [...ids.map((id) => detokenizer.push(id)), detokenizer.end()];
        expect(parts.join("")).toBe(tokenizer.decode(ids));
      }),
      propertyRuns,
    );
  });

  it("no streamed part ends inside a character", () => {
    const detokenizer = tokenizer.createDetokenizer();
    const parts = tokenizer.encode("é中😀é中😀").map((id) => detokenizer.push(id));
    expect([...parts, detokenizer.end()].join("")).toBe("é中😀é中😀");
    for (const part of parts) expect(["", "é", "中", "😀"]).toContain(part);
  });

  it("an incomplete character at the end is shown as U+FFFD, once the end is known", () => {
    const detokenizer = tokenizer.createDetokenizer();
    const [first = 0] = tokenizer.encode(Uint8Array.of(0xf0), { addBos: "never" }).slice(-1);
    expect(detokenizer.push(first)).toBe("");
    expect(detokenizer.end()).toBe("\ufffd");
  });

  it("user-defined tokens are always found in a text", () => {
    const ids = tokenizer.encode("a<|mark|>b");
    expect(ids.map((id) => tokenizer.tokenText(id))).toContain("<|mark|>");
  });

  it("an empty text has no tokens besides BOS", () => {
    expect(tokenizer.encode("", { addBos: "never" })).toEqual([]);
    expect(tokenizer.encode("", { addBos: "always" })).toEqual([tokenizer.special.bos]);
    expect(tokenizer.encode(new Uint8Array(0), { addBos: "never" })).toEqual([]);
  });
});

describe("SentencePiece merging", () => {
  const tokenizer = tokenizerOf(sentencePieceRecord());
  const texts = (text: string): (string | undefined)[] =>
    tokenizer.encode(text, { addBos: "never" }).map((id) => tokenizer.tokenText(id));

  it("merges the pair of the best score first, not the longest token", () => {
    expect(texts("abc")).toEqual(["\u2581", "abc"]);
    expect(texts("bc")).toEqual(["\u2581", "bc"]);
    expect(texts("a")).toEqual(["\u2581a"]);
  });

  it("writes characters that are no token as bytes", () => {
    expect(texts("中")).toEqual(["\u2581", "<0xE4>", "<0xB8>", "<0xAD>"]);
  });

  it("adds BOS by default and begins text with a space, also after a special token", () => {
    expect(tokenizer.special.addsBos).toBe(true);
    expect(tokenizer.encode("a").at(0)).toBe(1);
    expect(texts("a<|mark|>a")).toEqual(["\u2581a", "<|mark|>", "\u2581a"]);
  });

  it("adds no space where the file says so", () => {
    const bare = tokenizerOf({
      ...sentencePieceRecord(),
      "tokenizer.ggml.add_space_prefix": false,
    });
    const ids = bare.encode("a", { addBos: "never" });
    expect(ids.map((id) => bare.tokenText(id))).toEqual(["a"]);
    expect(bare.decode(ids)).toBe("a");
  });

  it("control tokens in a text are text unless they are asked for", () => {
    expect(texts("<|user|>")).not.toContain("<|user|>");
    const ids = tokenizer.encode("<|user|>a", { parseSpecial: true, addBos: "never" });
    expect(ids.map((id) => tokenizer.tokenText(id))).toEqual(["<|user|>", "\u2581a"]);
    expect(tokenizer.decode(ids)).toBe("a");
    expect(tokenizer.decode(ids, { showSpecial: true })).toBe("<|user|>a");
  });

  it("strips space after Phi-3's special tokens", () => {
    const phi = tokenizerOf({ ...sentencePieceRecord(), "general.name": "Phi-3 mini" });
    const ids = phi.encode("<|user|>\n a", { parseSpecial: true, addBos: "never" });
    expect(ids.map((id) => phi.tokenText(id))).toEqual(["<|user|>", "\u2581a"]);
  });

  it("a stream that goes on after text keeps its first space", () => {
    const [id = 0] = tokenizer.encode("a", { addBos: "never" });
    const [previous = 0] = tokenizer.encode("b", { addBos: "never" }).slice(-1);
    expect(tokenizer.createDetokenizer({ previous }).push(id)).toBe(" a");
    expect(tokenizer.createDetokenizer({ previous: 1 }).push(id)).toBe("a");
  });
});

describe("SentencePiece, word by word", () => {
  it("gives the ids of merging the whole text at once", () => {
    const record = sentencePieceRecord();
    const wordwise = tokenizerOf(record);
    const types = record["tokenizer.ggml.token_type"] as number[];
    const tokens = record["tokenizer.ggml.tokens"] as string[];
    const scores = record["tokenizer.ggml.scores"] as number[];
    const atOnce = tokenizerOf({
      ...record,
      "tokenizer.ggml.tokens": [...tokens, "z\u2581z"],
      "tokenizer.ggml.scores": [...scores, 0],
      "tokenizer.ggml.token_type": [...types, 1],
    });
    fc.assert(
      fc.property(anyText, (text) => {
        expect(wordwise.encode(text)).toEqual(atOnce.encode(text));
      }),
      propertyRuns,
    );
  });

  it("is not done where a token has a space inside", () => {
    const tokens = ["<unk>", "<s>", "</s>", "\u2581", "a", "a\u2581", "a\u2581a"];
    const tokenizer = tokenizerOf({
      "tokenizer.ggml.model": "llama",
      "tokenizer.ggml.tokens": tokens,
    });
    const ids = tokenizer.encode("a a", { addBos: "never" });
    expect(ids.map((id) => tokenizer.tokenText(id))).toEqual(["\u2581", "a\u2581a"]);
  });
});

describe("pairs of characters", () => {
  const record = characterPairRecord();
  const tokenizer = tokenizerOf(record);

  it("are merged as in llama.cpp 0.7.0", () => {
    const text = "ab abc  a\n\n\nab\n\n\n\n \n中é</s><|mark|> b a b\n\n";
    expect(tokenizer.encode(text, { parseSpecial: true })).toEqual([
      1, 263, 259, 264, 259, 265, 269, 268, 263, 269, 269, 259, 268, 231, 187, 176, 267, 63, 50,
      118, 65, 271, 259, 261, 265, 259, 261, 269,
    ]);
  });

  it("are the same word by word as in a whole line", () => {
    const merges = record["tokenizer.ggml.merges"] as string[];
    const atOnce = tokenizerOf({ ...record, "tokenizer.ggml.merges": [...merges, "z \u2581z"] });
    fc.assert(
      fc.property(anyText, (text) => {
        expect(tokenizer.encode(text)).toEqual(atOnce.encode(text));
      }),
      propertyRuns,
    );
  });

  it("may have a space inside, where the file has such a merge", () => {
    const tokenizer = tokenizerOf({
      "tokenizer.ggml.model": "gemma4",
      "tokenizer.ggml.tokens": ["c", "\u2581", "c\u2581", "a"],
      "tokenizer.ggml.merges": ["c \u2581"],
    });
    const ids = tokenizer.encode("c a", { addBos: "never" });
    expect(ids.map((id) => tokenizer.tokenText(id))).toEqual(["c\u2581", "a"]);
  });

  it("follow BOS, whatever the file says, and no tag of HTML ends an answer", () => {
    const { special, notices } = tokenizerOf({ ...record, "tokenizer.ggml.add_bos_token": false });
    expect(special.addsBos).toBe(true);
    expect(notices.join()).toContain("add_bos_token is false");
    expect([...special.endOfGeneration].sort()).toEqual([272, 273]);
  });
});

describe("loading with pauses", () => {
  it("gives the same tokenizer and lets other work go on", async () => {
    const record = bytePairRecord();
    const merges = Array.from({ length: 400_000 }, (_, rank) => `x${rank} y`);
    const metadata = metadataOf({ ...record, "tokenizer.ggml.merges": ["a b", ...merges] });
    let turns = 0;
    const count = setInterval(() => turns++, 0);
    const tokenizer = await loadTokenizer(metadata);
    clearInterval(count);
    expect(turns).toBeGreaterThan(0);
    expect(tokenizer.encode("ab ab")).toEqual(createTokenizer(metadata).encode("ab ab"));
  });

  it("refuses a malformed vocabulary like createTokenizer", async () => {
    await expect(loadTokenizer(metadataOf({}))).rejects.toThrow(FileFormatError);
  });
});

describe("pre-tokenizers", () => {
  it("an unknown one is a notice that names it and its substitute", () => {
    const { notices } = tokenizerOf({ ...bytePairRecord(), "tokenizer.ggml.pre": "novel" });
    expect(notices.join()).toContain('"novel"');
    expect(notices.join()).toContain('using "default"');
  });

  it("a missing one is a notice too", () => {
    const { notices } = tokenizerOf({ ...bytePairRecord(), "tokenizer.ggml.pre": undefined });
    expect(notices.join()).toContain("tokenizer.ggml.pre");
  });

  it.each(preTokenizerNames())("%s loses nothing of any text", (name) => {
    const tokenizer = tokenizerOf({ ...bytePairRecord(), "tokenizer.ggml.pre": name });
    expect(tokenizer.notices).toEqual([]);
    fc.assert(
      fc.property(anyText, (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      }),
      { ...propertyRuns, numRuns: 50 },
    );
  });
});

describe("a malformed vocabulary", () => {
  it.each([
    ["no model", { "tokenizer.ggml.model": undefined }, "tokenizer.ggml.model"],
    ["no tokens", { "tokenizer.ggml.tokens": undefined }, "tokenizer.ggml.tokens"],
    ["an empty list of tokens", { "tokenizer.ggml.tokens": [] }, "tokenizer.ggml.tokens"],
    ["too few types", { "tokenizer.ggml.token_type": [1, 1] }, "2 entries, expected 261"],
    ["no merges", { "tokenizer.ggml.merges": undefined }, "tokenizer.ggml.merges"],
    ["a merge of one symbol", { "tokenizer.ggml.merges": ["ab"] }, 'entry 0: found "ab"'],
    [
      "an EOS that is no whole number",
      { "tokenizer.ggml.eos_token_id": 1.5 },
      "eos_token_id: found 1.5",
    ],
  ])("with %s is refused, naming the key", (_, change, message) => {
    const open = (): Tokenizer => tokenizerOf({ ...bytePairRecord(), ...change });
    expect(open).toThrow(FileFormatError);
    expect(open).toThrow(message);
  });

  it("with too few scores is refused", () => {
    const change = { "tokenizer.ggml.scores": new Float32Array(3) };
    expect(() => tokenizerOf({ ...sentencePieceRecord(), ...change })).toThrow("3 entries");
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    "with a score of %d is refused, naming the token",
    (score) => {
      const record = sentencePieceRecord();
      const scores = Float32Array.from(record["tokenizer.ggml.scores"] as number[]);
      scores[7] = score;
      const open = (): Tokenizer => tokenizerOf({ ...record, "tokenizer.ggml.scores": scores });
      expect(open).toThrow(FileFormatError);
      expect(open).toThrow(`tokenizer.ggml.scores, entry 7: found ${score}`);
    },
  );

  it("of another kind is refused with those there are", () => {
    const open = (): Tokenizer =>
      tokenizerOf({ ...bytePairRecord(), "tokenizer.ggml.model": "bert" });
    expect(open).toThrow(UnsupportedError);
    expect(open).toThrow("llama, gpt2");
  });

  it("with empty and repeated tokens is still usable", () => {
    const record = bytePairRecord();
    const tokens = [...(record["tokenizer.ggml.tokens"] as string[]), "", "ab"];
    const types = [...(record["tokenizer.ggml.token_type"] as number[]), 4, 1];
    const { encode, decode } = tokenizerOf({
      ...record,
      "tokenizer.ggml.tokens": tokens,
      "tokenizer.ggml.token_type": types,
    });
    expect(decode(encode("ab ab"))).toBe("ab ab");
  });
});
