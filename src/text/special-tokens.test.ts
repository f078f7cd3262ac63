import { describe, expect, it } from "vitest";
import { bytePairRecord, sentencePieceRecord } from "../../test/fixtures/small-vocabularies.ts";
import { metadataOf } from "../../test/fixtures/vocabulary-metadata.ts";
import { createTokenizer, type Tokenizer } from "./tokenizer.ts";

const tokenizerOf = (record: Record<string, unknown>): Tokenizer =>
  createTokenizer(metadataOf(record));

describe("special tokens", () => {
  it("end-of-turn and end-of-text tokens are found by their text and end a generation", () => {
    const record = bytePairRecord();
    const tokens = [...(record["tokenizer.ggml.tokens"] as string[]), "<|im_end|>", "<|eom_id|>"];
    const types = [...(record["tokenizer.ggml.token_type"] as number[]), 1, 1];
    const { special, encode } = tokenizerOf({
      ...record,
      "tokenizer.ggml.tokens": tokens,
      "tokenizer.ggml.token_type": types,
    });
    expect(special.eot).toBe(tokens.indexOf("<|im_end|>"));
    expect([...special.endOfGeneration].sort()).toEqual([
      tokens.indexOf("<|endoftext|>"),
      tokens.indexOf("<|im_end|>"),
      tokens.indexOf("<|eom_id|>"),
    ]);
    expect(encode("<|im_end|>", { parseSpecial: true })).toEqual([special.eot]);
  });

  it("byte-pair models add BOS by the flag, or by the pre-tokenizer's custom", () => {
    const flagsOf = (more: Record<string, unknown>): boolean =>
      tokenizerOf({ ...bytePairRecord(), ...more }).special.addsBos;
    expect(flagsOf({})).toBe(false);
    expect(flagsOf({ "tokenizer.ggml.pre": "llama-bpe" })).toBe(true);
    expect(
      flagsOf({ "tokenizer.ggml.pre": "llama-bpe", "tokenizer.ggml.add_bos_token": false }),
    ).toBe(false);
  });

  it("EOS goes last when the model wants it", () => {
    const { encode, special } = tokenizerOf({
      ...bytePairRecord(),
      "tokenizer.ggml.add_eos_token": true,
    });
    expect(encode("a").at(-1)).toBe(special.eos);
    expect(encode("a", { addEos: "never" })).toHaveLength(1);
  });

  it("a BOS that is wanted but missing is a notice", () => {
    const record = { ...bytePairRecord(), "tokenizer.ggml.add_bos_token": true };
    const { special, notices } = tokenizerOf({
      ...record,
      "tokenizer.ggml.bos_token_id": undefined,
    });
    expect(special.bos).toBeUndefined();
    expect(special.addsBos).toBe(false);
    expect(notices.join()).toContain("add_bos_token");
  });
});

describe("special tokens that the file numbers", () => {
  const ends = (more: Record<string, unknown>): number[] =>
    [...tokenizerOf({ ...bytePairRecord(), ...more }).special.endOfGeneration].sort();

  it("count as ends under the keys eos, eot and eom, one or a list", () => {
    expect(ends({})).toEqual([259]);
    expect(ends({ "tokenizer.ggml.eot_token_id": 4 })).toEqual([259, 4].sort());
    expect(ends({ "tokenizer.ggml.eom_token_id": 5 })).toEqual([259, 5].sort());
    expect(ends({ "tokenizer.ggml.eos_token_ids": [6, 7] })).toEqual([259, 6, 7].sort());
    expect(ends({ "tokenizer.ggml.eot_token_ids": [8] })).toEqual([259, 8].sort());
    expect(ends({ "tokenizer.ggml.eos_token_id": [9, 10] })).toEqual([259, 9, 10].sort());
  });

  it("name the EOS by the first of a list", () => {
    const { special } = tokenizerOf({
      ...bytePairRecord(),
      "tokenizer.ggml.eos_token_id": [9, 10],
    });
    expect(special.eos).toBe(9);
  });

  it.each([
    ["bos", 261],
    ["bos", -2],
    ["eos", 99999],
    ["padding", 261],
    ["eos", [261, 3]],
  ])("are ignored with a notice where there is no such token: %s %j", (name, id) => {
    const key = `tokenizer.ggml.${name}_token_id`;
    const { special, notices } = tokenizerOf({ ...bytePairRecord(), [key]: id });
    const wrong = typeof id === "number" ? id : 261;
    expect(notices).toContain(
      `${key} is ${wrong}, but the vocabulary has 261 tokens: it is ignored`,
    );
    const values = [special.bos, special.eos, special.padding, ...special.endOfGeneration];
    expect(values).not.toContain(wrong);
  });

  it.each([-1, 0xffffffff])("are none where a converter wrote %d", (id) => {
    const { special, notices } = tokenizerOf({
      ...bytePairRecord(),
      "tokenizer.ggml.padding_token_id": id,
    });
    expect(special.padding).toBeUndefined();
    expect(notices).toEqual([]);
  });
});

describe("a vocabulary of fewer tokens than the model has rows", () => {
  it.each([
    ["SentencePiece", sentencePieceRecord()],
    ["byte pairs", bytePairRecord()],
  ])("decodes the rows without a token to nothing: %s", (_, record) => {
    const tokenizer = createTokenizer(metadataOf(record), 320);
    const ids = tokenizer.encode("abc", { addBos: "never" });
    expect(tokenizer.decode([...ids, 319, ...ids.slice(-1)])).toBe("abcabc".slice(0, 6));
    expect(tokenizer.createDetokenizer({ previous: 319 }).push(300)).toBe("");
    expect(() => tokenizer.decode([320])).toThrow("token: 320 is not usable");
    expect(() => createTokenizer(metadataOf(record)).decode([319])).toThrow("token: 319");
  });
});
