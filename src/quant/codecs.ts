/** The codec of each weight type. */
import type { WeightType } from "../core/dtype.ts";
import { bf16Codec } from "./bf16.ts";
import type { Codec } from "./codec.ts";
import { f16Codec } from "./f16.ts";
import { f32Codec } from "./f32.ts";
import { q4_0Codec } from "./q4_0.ts";
import { q4_1Codec } from "./q4_1.ts";
import { q4_kCodec } from "./q4_k.ts";
import { q5_0Codec } from "./q5_0.ts";
import { q5_1Codec } from "./q5_1.ts";
import { q5_kCodec } from "./q5_k.ts";
import { q6_kCodec } from "./q6_k.ts";
import { q8_0Codec } from "./q8_0.ts";

const codecs: Readonly<Record<WeightType, Codec>> = {
  F32: f32Codec,
  F16: f16Codec,
  BF16: bf16Codec,
  Q8_0: q8_0Codec,
  Q4_0: q4_0Codec,
  Q4_1: q4_1Codec,
  Q5_0: q5_0Codec,
  Q5_1: q5_1Codec,
  Q4_K: q4_kCodec,
  Q5_K: q5_kCodec,
  Q6_K: q6_kCodec,
};

export function quantCodec(type: WeightType): Codec {
  return codecs[type];
}
