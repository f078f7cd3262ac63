import { describe, expect, it } from "vitest";
import { runAtOnce } from "../core/pausable.ts";
import { eachPiece, findPreTokenizer } from "./pre-tokenizers.ts";

function piecesOf(name: string, text: string): readonly string[] {
  const preTokenizer = findPreTokenizer(name);
  expect(preTokenizer).toBeDefined();
  const pieces: string[] = [];
  runAtOnce(
    eachPiece(text, preTokenizer!.cuts, (start, end) => pieces.push(text.slice(start, end))),
  );
  return pieces;
}

describe("pre-tokenizers", () => {
  it.each([
    [
      "gpt-2",
      "I'll  go, 12345!\n\nx",
      ["I", "'ll", " ", " go", ",", " 12345", "!", "\n", "\n", "x"],
    ],
    [
      "llama-bpe",
      "I'LL  go, 12345!\n\nx",
      ["I", "'LL", " ", " go", ",", " ", "123", "45", "!\n\n", "x"],
    ],
    ["qwen2", "a 123 b", ["a", " ", "1", "2", "3", " b"]],
    ["starcoder", "a 123", ["a", " ", "1", "2", "3"]],
    ["falcon", "a, 12345", ["a", ",", " ", "123", "45"]],
    ["default", "a=12345", ["a", "=", "123", "45"]],
    ["deepseek-llm", "Hé 12  ", ["H", "é", " ", "12", "  "]],
    ["deepseek-coder", "a 12\nb", ["a", " ", "1", "2", "\n", "b"]],
    ["deepseek-v3", "漢字 12345 #a", ["漢字", " ", "123", "45", " #", "a"]],
    ["tekken", "HelloWORLD 12", ["Hello", "WORLD", " ", "1", "2"]],
    ["gpt-4o", "HelloWorld's 1234", ["Hello", "World's", " ", "123", "4"]],
    ["afmoe", "ab 1234567", ["ab", " ", "1", "234", "567"]],
    ["bloom", "Hi, you", ["Hi", ",", " you"]],
  ])("%s cuts %j where the model does", (name, text, pieces) => {
    expect(piecesOf(name, text)).toEqual(pieces);
  });

  it("take Unicode's white space, not JavaScript's", () => {
    expect(piecesOf("gpt-2", "a\u0085b")).toEqual(["a", "\u0085", "b"]);
    expect(piecesOf("gpt-2", "!\ufeff!")).toEqual(["!\ufeff!"]);
  });

  it("are not quadratic on long runs of white space before a digit", () => {
    const text = `${" ".repeat(200_000)}7`;
    expect(piecesOf("deepseek-llm", text).join("")).toBe(text);
    expect(piecesOf("llama-bpe", text).join("")).toBe(text);
  });

  it("are unknown by names nobody uses", () => {
    expect(findPreTokenizer("novel")).toBeUndefined();
  });
});
