/** The codec of each weight type. */
import type { WeightType } from "../core/dtype.ts";
import { bf16Codec } from "./bf16.ts";
import type { Codec } from "./codec.ts";
import { f16Codec } from "./f16.ts";
import { f32Codec } from "./f32.ts";
import { iq1_mCodec } from "./iq1_m.ts";
import { iq1_sCodec } from "./iq1_s.ts";
import { iq2_sCodec } from "./iq2_s.ts";
import { iq2_xsCodec } from "./iq2_xs.ts";
import { iq2_xxsCodec } from "./iq2_xxs.ts";
import { iq3_sCodec } from "./iq3_s.ts";
import { iq3_xxsCodec } from "./iq3_xxs.ts";
import { iq4_nlCodec } from "./iq4_nl.ts";
import { iq4_xsCodec } from "./iq4_xs.ts";
import { mxfp4Codec } from "./mxfp4.ts";
import { nvfp4Codec } from "./nvfp4.ts";
import { q2_kCodec } from "./q2_k.ts";
import { q3_kCodec } from "./q3_k.ts";
import { q4_0Codec } from "./q4_0.ts";
import { q4_1Codec } from "./q4_1.ts";
import { q4_kCodec } from "./q4_k.ts";
import { q5_0Codec } from "./q5_0.ts";
import { q5_1Codec } from "./q5_1.ts";
import { q5_kCodec } from "./q5_k.ts";
import { q6_kCodec } from "./q6_k.ts";
import { q8_0Codec } from "./q8_0.ts";
import { tq1_0Codec } from "./tq1_0.ts";
import { tq2_0Codec } from "./tq2_0.ts";

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
  Q2_K: q2_kCodec,
  Q3_K: q3_kCodec,
  IQ4_NL: iq4_nlCodec,
  IQ4_XS: iq4_xsCodec,
  MXFP4: mxfp4Codec,
  IQ3_XXS: iq3_xxsCodec,
  IQ3_S: iq3_sCodec,
  IQ2_XXS: iq2_xxsCodec,
  IQ2_XS: iq2_xsCodec,
  IQ2_S: iq2_sCodec,
  IQ1_S: iq1_sCodec,
  IQ1_M: iq1_mCodec,
  TQ1_0: tq1_0Codec,
  TQ2_0: tq2_0Codec,
  NVFP4: nvfp4Codec,
};

export function quantCodec(type: WeightType): Codec {
  return codecs[type];
}
