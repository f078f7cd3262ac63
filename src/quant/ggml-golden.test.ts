/**
 * The same numbers as ggml, by hash: its reference quantisers and dequantisers (ggml-quants.c of ggml commit d99724f2,
 * built with -O2 -ffp-contract=off) ran on the inputs that are made here.
 */
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createRandom } from "../core/random.ts";
import { quantCodec } from "./codecs.ts";

const elements = 65536;

/** Blocks of 32 with scales over five decades, every fifth shifted, every seventh with an outlier. */
function goldenValues(): Float32Array {
  const random = createRandom(11);
  const values = new Float32Array(elements);
  for (let block = 0; block < elements / 32; block++) {
    const scale = 2 ** (random.integer(18) - 14);
    for (let i = 0; i < 32; i++) {
      const shift = block % 5 === 0 ? 1 : 0;
      const outlier = block % 7 === 0 && i === 9 ? 6 : 0;
      values[32 * block + i] = scale * (2 * random.uniform() - 1 + shift + outlier);
    }
  }
  return values;
}

/** Random blocks; each binary16 in them is made positive and below 2. */
function goldenBlocks(type: Golden["type"], halves: readonly number[]): Uint8Array {
  const random = createRandom(13);
  const { blockElements, blockBytes } = quantCodec(type);
  const blocks = elements / blockElements;
  const bytes = Uint8Array.from({ length: blocks * blockBytes }, () => random.integer(256));
  for (let block = 0; block < blocks; block++) {
    for (const half of halves) bytes[block * blockBytes + half + 1]! &= 0x3f;
  }
  return bytes;
}

interface Golden {
  readonly type: "Q8_0" | "Q4_0" | "Q4_1" | "Q5_0" | "Q5_1" | "Q4_K" | "Q5_K" | "Q6_K";
  /** Byte positions of the binary16 numbers in a block. */
  readonly halves: readonly number[];
  readonly dequantised: string;
  /** Only where ggml's result does not depend on how a search adds up. */
  readonly quantised?: string;
}

const goldens: readonly Golden[] = [
  {
    type: "Q8_0",
    halves: [0],
    dequantised: "3ab462bb2e9145f23f867eeef71321d5016a810e220efd62852f538041847a2c",
    quantised: "9ead81f21496a83f33072f28f13a9a27ad32961e8ca4e20a5ef77a27d2ba81c3",
  },
  {
    type: "Q4_0",
    halves: [0],
    dequantised: "a1fc3d9a26a58dcefbfaeed1a737ae0ce5129abfa5547fd6dfc0de3ab5300d08",
    quantised: "c0f12aa19fa2b352d8d3f9a24dec21c6b696af11d5c42d195af060464fbf5097",
  },
  {
    type: "Q4_1",
    halves: [0, 2],
    dequantised: "8c2af1fc0edc29e433d6dde888f406e0d0c923648a57e3546e09fa9e058625a0",
    quantised: "200563701fea5bf31b4b0d5cbcf990acaa040c061f6f8aeb0d033f4d1f962a42",
  },
  {
    type: "Q5_0",
    halves: [0],
    dequantised: "88dceae9e83c6551cf4849a13bd5ebf4cd7f8b1661f8d23c631fd0e06cf889c5",
    quantised: "d67888789b78ddb95ccf6101d35f19ba57ef7b8d1a84774776fb9e8890108b9f",
  },
  {
    type: "Q5_1",
    halves: [0, 2],
    dequantised: "5459a6866dfd305830e19e01c6e261b57b83fb5dfe6ee59af897756ca310b2f1",
    quantised: "76b64aa028d4d6197d5c19334785bf97f9fa9d935624a4b7cd6a0c42bc6fa668",
  },
  {
    type: "Q4_K",
    halves: [0, 2],
    dequantised: "ef98aa920e60d7c3773df8d78e721f67ec5a11e0d4601a23c67b2baefcd945d3",
  },
  {
    type: "Q5_K",
    halves: [0, 2],
    dequantised: "3b2085d33e28c3a585d83145a65b134edc74f4f50b73f1ee14985b9a6b64171f",
  },
  {
    type: "Q6_K",
    halves: [208],
    dequantised: "67d0efd6d7bb05d3a1d79ee5ca0a2d34878f6a771ff9c214528ec2a581f4e88e",
  },
];

function hashOf(array: Uint8Array | Float32Array): string {
  const { buffer, byteOffset, byteLength } = array;
  return createHash("sha256")
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest("hex");
}

describe("ggml and hearth", () => {
  it.each(goldens)(
    "read the same float32 numbers out of $type",
    ({ type, halves, dequantised }) => {
      const values = new Float32Array(elements);
      const codec = quantCodec(type);
      codec.dequantise(goldenBlocks(type, halves), 0, values, 0, elements / codec.blockElements);
      expect(hashOf(values)).toBe(dequantised);
    },
  );

  it.each(goldens.filter((golden) => golden.quantised !== undefined))(
    "write the same bytes of $type",
    ({ type, quantised }) => {
      const { blockElements, blockBytes, quantise } = quantCodec(type);
      const bytes = new Uint8Array((elements / blockElements) * blockBytes);
      quantise(goldenValues(), 0, bytes, 0, elements / blockElements);
      expect(hashOf(bytes)).toBe(quantised);
    },
  );

  it.each([
    ["Q4_K", 0.05739],
    ["Q5_K", 0.02936],
    ["Q6_K", 0.01663],
  ] as const)("search the scales of %s equally well", (type, ggmlError) => {
    const { blockElements, blockBytes, quantise, dequantise } = quantCodec(type);
    const blocks = elements / blockElements;
    const bytes = new Uint8Array(blocks * blockBytes);
    const values = goldenValues();
    const after = new Float32Array(elements);
    quantise(values, 0, bytes, 0, blocks);
    dequantise(bytes, 0, after, 0, blocks);
    // The mean over blocks of the relative RMS error, as measured on ggml's bytes. The searches add up in other
    // orders and so settle ties between candidates differently, which moves single groups but not the mean by 1 %.
    expect(meanRelativeError(values, after) / ggmlError).toBeLessThan(1.01);
  });
});

function meanRelativeError(values: Float32Array, after: Float32Array): number {
  let sum = 0;
  for (let begin = 0; begin < elements; begin += 256) {
    let [error, power] = [0, 0];
    for (let i = begin; i < begin + 256; i++) {
      error += (values[i]! - after[i]!) ** 2;
      power += values[i]! ** 2;
    }
    sum += Math.sqrt(error / power);
  }
  return sum / (elements / 256);
}
