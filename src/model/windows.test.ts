/** Which layers get a window, of what, and what hostile files say of it. */
import { afterAll, describe, expect, it } from "vitest";
import { modelFolder } from "../../test/fixtures/changed-model.ts";
import { openGguf } from "../gguf/open.ts";
import { type MetadataValue, metadataValue } from "../gguf/value.ts";
import { cacheShape } from "./cache-shape.ts";
import { type Hyperparameters, KeyReader, readHyperparameters } from "./hyperparameters.ts";
import { ropeByWindow, type WindowTraits, withSoftCap, withWindows } from "./windows.ts";

const { u32, f32, i32s } = metadataValue;
const flags = (...values: readonly number[]): MetadataValue => {
  return { kind: "booleans", values: Uint8Array.from(values) };
};
const long = (value: bigint): MetadataValue => ({ kind: "long", type: "u64", value });

const folder = modelFolder();
afterAll(() => folder[Symbol.dispose]());

const shape = "--arch llama --dim 32 --layers 4 --ffn 32 --heads 2 --kv-heads 2 --context 4096";
const everySecond: WindowTraits = { window: 64, period: 2 };

/** The numbers of a file with these keys, as an architecture with such windows reads them. */
async function read(
  keys: Readonly<Record<string, MetadataValue>>,
  traits: WindowTraits = everySecond,
): Promise<Hyperparameters> {
  const entries = Object.entries(keys).map(([key, value]) => [`llama.${key}`, value] as const);
  const path = await folder.write(shape, { keys: Object.fromEntries(entries) });
  const numbers = (plain: Hyperparameters, reader: KeyReader): Hyperparameters =>
    withSoftCap(withWindows(plain, reader, traits), reader);
  return readHyperparameters(new KeyReader(openGguf(path)), { norm: "rms", numbers });
}

const windowsOf = ({ attention }: Hyperparameters): readonly number[] =>
  attention.map(({ window = 0 }) => window);

const stated = "attention.sliding_window";
const pattern = "attention.sliding_window_pattern";

describe("layers have windows", () => {
  it.each<[string, Record<string, MetadataValue>, WindowTraits, number[]]>([
    ["where no key says so, by the architecture", {}, everySecond, [64, 0, 64, 0]],
    ["of the length that the file states", { [stated]: u32(7) }, everySecond, [7, 0, 7, 0]],
    ["but the first of a period", {}, { ...everySecond, full: "first" }, [0, 64, 0, 64]],
    ["by the file's period", { [pattern]: u32(3) }, everySecond, [64, 64, 0, 64]],
    ["in no layer by a period of 1", { [pattern]: u32(1) }, everySecond, [0, 0, 0, 0]],
    ["in all by a period of 0", { [pattern]: u32(0) }, everySecond, [64, 64, 64, 64]],
    ["by a flag each", { [pattern]: flags(1, 1, 0, 1) }, everySecond, [64, 64, 0, 64]],
    ["by a number each", { [pattern]: i32s([0, 0, 0, 1]) }, everySecond, [0, 0, 0, 64]],
    ["only if the file has one", {}, { period: 4 }, [0, 0, 0, 0]],
    ["not where the file says 0", { [stated]: u32(0) }, { period: 4 }, [0, 0, 0, 0]],
  ])("%s", async (_, keys, traits, windows) => {
    const numbers = await read(keys, traits);
    expect(windowsOf(numbers)).toEqual(windows);
    expect(numbers.contextLength).toBe(4096);
    expect(numbers.slidingWindow).toBeUndefined();
  });

  it("and hold it and a step's rows, the others the context", async () => {
    const limits = { contextLength: 1024, sequences: 1, maxRows: 65, kvType: "f16" } as const;
    const { layers } = cacheShape(await read({}), limits);
    expect(layers.map(({ kind }) => kind)).toEqual(["window", "full", "window", "full"]);
    expect(layers[0]).toMatchObject({ window: 64, cells: 128 });
  });

  it("with a RoPE and widths of their own, and no scaling where they have none", async () => {
    const keys = {
      "rope.freq_base_swa": f32(500),
      "rope.dimension_count_swa": u32(4),
      "attention.key_length_swa": u32(8),
      "attention.value_length_swa": u32(24),
      "rope.scaling.type": metadataValue.string("linear"),
      "rope.scaling.factor": f32(8),
    };
    const numbers = await read(keys, { ...everySecond, rope: { isUnscaled: true } });
    const [own, other] = numbers.attention;
    expect(own).toMatchObject({ keyWidth: 8, valueWidth: 24, scale: 1 / Math.sqrt(8) });
    expect(other).toMatchObject({ keyWidth: 16, valueWidth: 16, scale: 1 / 4 });
    expect(ropeByWindow(0, numbers)).toMatchObject({
      base: 500,
      dims: 4,
      scaling: { kind: "none" },
    });
    expect(ropeByWindow(1, numbers)).toMatchObject({ base: 10000, scaling: { factor: 8 } });
    const plain = await read({});
    expect(ropeByWindow(0, plain)).toBe(ropeByWindow(1, plain));
  });
});

describe("a hostile file is refused for", () => {
  const cap = "attn_logit_softcapping";
  it.each<[string, string, MetadataValue, RegExp]>([
    ["a window of nothing", stated, u32(0), /sliding_window.*found 0, expected a window of at/],
    ["a window of 2^32", stated, long(2n ** 32n), /sliding_window.*found 4294967296, expected an/],
    ["a window that is no number", stated, f32(Number.NaN), /sliding_window.*found NaN/],
    ["half a token", stated, f32(7.5), /sliding_window.*found 7\.5, expected an integer/],
    ["a list of windows", stated, i32s([1, 2, 3, 4]), /sliding_window.*found .*expected a number/],
    [
      "a flag too few",
      pattern,
      flags(1, 0, 1),
      /pattern.*found 3 values, expected one for each of/,
    ],
    ["a number too many", pattern, i32s([1, 0, 1, 0, 1]), /pattern.*found 5 values/],
    [
      "a flag of 2",
      pattern,
      i32s([1, 0, 2, 0]),
      /pattern.*found 2, expected an integer from 0 to 1/,
    ],
    ["a negative period", pattern, f32(-2), /pattern.*found -2/],
    ["a text", pattern, metadataValue.string("odd"), /pattern.*found .*odd/],
    ["a cap that is no number", cap, f32(Number.NaN), /softcapping.*found NaN, expected a number/],
    ["a cap below 0", cap, f32(-50), /softcapping.*found -50/],
    ["a cap of 0", cap, f32(0), /softcapping.*found 0/],
    ["an infinite cap", cap, f32(Infinity), /softcapping.*found Infinity/],
    ["no width", "attention.key_length_swa", u32(0), /key_length_swa.*found 0/],
    [
      "angles beyond the head",
      "rope.dimension_count_swa",
      u32(18),
      /even number up to the head's 16/,
    ],
    ["no base", "rope.freq_base_swa", f32(Number.NaN), /freq_base_swa.*found NaN/],
  ])("%s", async (_, key, value, message) => {
    await expect(read({ [key]: value })).rejects.toThrow(message);
  });
});
