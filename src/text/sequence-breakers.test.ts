/** Breakers of DRY as tokens of the bundled model's vocabulary. */
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { openTokenizer } from "../commands/inspect.ts";
import { BreakerFinder } from "./sequence-breakers.ts";

const tokenizer = openTokenizer(
  fileURLToPath(new URL("../../models/default.gguf", import.meta.url)),
);
const textOf = (id: number): string => Buffer.from(tokenizer.pieceBytes(id)).toString();

describe("sequence breakers", () => {
  it("are the tokens that contain the text, with nothing behind them", () => {
    const found = new BreakerFinder(tokenizer).of([":", "\n"]);
    expect(found.size).toBeGreaterThan(1);
    for (let id = 0; id < tokenizer.vocabularySize; id++) {
      expect(found.has(id), textOf(id)).toBe(/[:\n]/.test(textOf(id)));
      if (found.has(id)) expect(found.get(id)).toEqual([[]]);
    }
  });

  it("begin in tokens that end with their first bytes, and go on with the tokens of the rest", () => {
    const found = new BreakerFinder(tokenizer).of(["king of"]);
    const king = tokenizer.encode(" king", { addBos: "never" });
    expect(king).toHaveLength(1);
    const rest = tokenizer.encode(" of", { addBos: "never" });
    expect(found.get(king[0]!)).toContainEqual(rest);
    const [k = 0] = tokenizer.encode("k", { addBos: "never" });
    expect(found.get(k)).toContainEqual(tokenizer.encode("ing of", { addBos: "never" }));
  });

  it("are looked for once as long as the texts are the same", () => {
    const finder = new BreakerFinder(tokenizer);
    const first = finder.of(["*"]);
    expect(finder.of(["*"])).toBe(first);
    expect(finder.of(["*", ":"])).not.toBe(first);
  });
});
