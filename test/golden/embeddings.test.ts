/**
 * Embeddings against native llama-server's (--embeddings --pooling mean or last, keys and values in f32, "embd_normalize": -1) of
 * the bundled model. The same in F32 weights, of SmolLM2-135M: docs/measurements/real-models.md.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { Engine } from "../../src/engine/engine.ts";

interface Golden {
  readonly text: string;
  readonly tokens: readonly number[];
  readonly pooling: "mean" | "last";
  readonly vector: readonly number[];
}

const golden: readonly Golden[] = JSON.parse(
  readFileSync(new URL("./embeddings.json", import.meta.url), "utf8"),
);
const path = fileURLToPath(new URL("../../models/default.gguf", import.meta.url));

/**
 * The weights are F16. llama.cpp rounds what they multiply to halves, by at most 2^-11 of each value; hearth does not. Sums of
 * independent roundings are smaller, relative to the sum, than each is to its own value.
 */
const tolerance = 2 ** -11;

describe.each(["cpu", "reference"] as const)("embeddings on device %s", (device) => {
  it.each(["mean", "last"] as const)("pooled by %s are native llama.cpp's", async (pooling) => {
    using engine = await Engine.open(path, {
      device,
      contextLength: 64,
      cacheType: "f32",
      sequences: 2,
    });
    const expected = golden.filter((one) => one.pooling === pooling);
    const texts = expected.map(({ text }) => text);
    const found = await engine.embed(texts, { pooling, normalize: false });
    expect(found.map(({ tokens }) => tokens)).toEqual(expected.map(({ tokens }) => tokens.length));
    for (const [i, { vector }] of expected.entries()) {
      expect(found[i]!.vector).toHaveLength(vector.length);
      expect(distance(found[i]!.vector, vector)).toBeLessThan(tolerance);
    }
  });
});

/** Relative to the length of the second. */
function distance(a: ArrayLike<number>, b: readonly number[]): number {
  const squares = b.map((value, i) => (a[i]! - value) ** 2);
  return Math.sqrt(sum(squares) / sum(b.map((value) => value * value)));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
