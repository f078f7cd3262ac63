/** Makes feed-forward blocks whose every score is clear of its threshold, for any method, gating, activation and type. */
import { type WeightType, weightFormat } from "../../core/dtype.ts";
import type {
  Activation,
  DownProjection,
  FfnBlock,
  Gating,
  HiddenNorm,
  Slot,
  SparsityMethod,
  Weight,
} from "../../ops/op.ts";
import { quantCodec } from "../../quant/codecs.ts";
import type { CaseData } from "./case-data.ts";
import { pattern, patternCount } from "./case-data.ts";
import { memoryWeight } from "./program-builder.ts";

/** Those that are made of weights; a given set needs an op that makes it (cases-predict.ts). */
export type CaseMethod = Exclude<SparsityMethod["kind"], "given">;

export interface CaseBlockShape {
  readonly type: WeightType;
  readonly dim: number;
  readonly neurons: number;
  readonly gating: Gating;
  readonly activation: Activation;
  readonly method: CaseMethod;
  readonly downLayout: DownProjection["layout"];
  readonly isSubset: boolean;
  readonly hasBiases: boolean;
  readonly hasNorm?: boolean;
}

/** u and g of every neuron are near +2.5 or −2.5: silu 2.31 or −0.19, relu² 6.25 or 0, above and below FATReLU's 1. */
const score = 2.5;

/** `predictorInput` must hold inputs of CaseData too; only the method "mlp" reads it. */
export function makeFfnBlock(
  shape: CaseBlockShape,
  data: CaseData,
  predictorInput: Slot,
): FfnBlock {
  const { type, dim, neurons, gating, activation } = shape;
  const up = data.scoring(neurons, dim, score);
  const gate = data.scoring(neurons, dim, score);
  const down = makeDown(shape, data);
  const matrix = (name: string, values: Float32Array): Weight =>
    memoryWeight(name, type, [neurons, dim], values);
  const vector = (name: string, length: number): Weight =>
    memoryWeight(name, "F32", [1, length], data.normal(length, 0.1));
  return {
    layer: 0,
    dim,
    neurons,
    gating,
    activation,
    up: matrix("up", up),
    ...(gating === "ungated" ? {} : { gate: matrix("gate", gate) }),
    ...(shape.hasBiases && gating !== "ungated" ? { gateBias: vector("gate bias", neurons) } : {}),
    ...(shape.hasBiases ? { upBias: vector("up bias", neurons) } : {}),
    ...(shape.hasBiases ? { downBias: vector("down bias", dim) } : {}),
    ...(shape.isSubset ? { subset: makeSubset(neurons, data) } : {}),
    ...(shape.hasNorm && { hiddenNorm: makeNorm(neurons, data) }),
    down,
    method: makeMethod(shape, data, {
      predictorInput,
      scored: gating === "ungated" ? up : gate,
      downNorms: rowNorms(down, neurons, dim),
    }),
  };
}

/** An epsilon that weighs beside mean squares of about 1. */
function makeNorm(neurons: number, data: CaseData): HiddenNorm {
  const values = data.normal(neurons, 0.3).map((value) => 1 + value);
  return { weight: memoryWeight("hidden norm", "F32", [1, neurons], values), epsilon: 0.5 };
}

/** About 60 % of the neurons, in no regular order. */
function makeSubset(neurons: number, { random }: CaseData): Uint32Array {
  const ids = Uint32Array.from({ length: neurons }, (_, id) => id);
  return ids.filter(() => random.uniform() < 0.6);
}

function makeDown(
  { type, dim, neurons, downLayout }: CaseBlockShape,
  data: CaseData,
): DownProjection {
  const values = data.normal(neurons * dim, 1 / Math.sqrt(dim));
  const shape = downLayout === "rows" ? ([neurons, dim] as const) : ([dim, neurons] as const);
  return { layout: downLayout, weight: memoryWeight("down", type, shape, values) };
}

/** ‖down row‖ of each neuron, of the weights as they are stored. */
function rowNorms({ layout, weight }: DownProjection, neurons: number, dim: number): Float32Array {
  const codec = quantCodec(weight.type);
  const data = new Float32Array(neurons * dim);
  if (weight.bytes.kind === "memory") {
    codec.dequantise(weight.bytes.data, 0, data, 0, data.length / codec.blockElements);
  }
  return new Float32Array(neurons).map((_, neuron) => {
    let squares = 0;
    for (let i = 0; i < dim; i++) {
      squares += data[layout === "rows" ? neuron * dim + i : i * neurons + neuron]! ** 2;
    }
    return Math.sqrt(squares);
  });
}

function makeMethod(
  shape: CaseBlockShape,
  data: CaseData,
  parts: {
    readonly predictorInput: Slot;
    readonly scored: Float32Array;
    readonly downNorms: Float32Array;
  },
): SparsityMethod {
  switch (shape.method) {
    case "dense":
    case "gate":
      return { kind: shape.method };
    // Between |act(−2.5)| ≤ 0.19 (silu) and act(2.5) ≥ 2.3.
    case "threshold-gate":
      return { kind: "threshold-gate", value: 1 };
    // Norms of rows are near 1; |h| is at most 0.48 (silu(−2.5)·2.5) or at least 2.3.
    case "threshold-output":
      return { kind: "threshold-output", value: 1.1, downNorms: parts.downNorms };
    // Agreement of signs with one of eight patterns is near ±0.27 dim; the score is an integer, so it cannot waver.
    case "sign":
      return { kind: "sign", signs: packSigns(parts.scored, shape.dim), margin: 4 };
    case "mlp":
      return makePredictor(shape, data, parts.predictorInput);
    default:
      return shape.method satisfies never;
  }
}

function packSigns(values: Float32Array, dim: number): Uint8Array {
  const rowBytes = Math.ceil(dim / 64) * 8;
  const signs = new Uint8Array((values.length / dim) * rowBytes);
  values.forEach((value, at) => {
    const i = at % dim;
    if (value < 0) signs[Math.floor(at / dim) * rowBytes + (i >> 3)]! |= 1 << (i & 7);
  });
  return signs;
}

/**
 * fc1 has a row for each pattern and one for its opposite, again and again; fc2 weighs those of a neuron's pattern with
 * +c and −c: the score is c·rank/16·2.5 = 1 or −1, and the threshold 0.2.
 */
function makePredictor(
  { type, dim, neurons }: CaseBlockShape,
  data: CaseData,
  input: Slot,
): SparsityMethod {
  const rank = Math.max(32, weightFormat(type).blockElements);
  const amplitude = score / (dim / Math.sqrt(patternCount));
  const fc1 = data.normal(rank * dim, 0.1 * amplitude);
  for (let r = 0; r < rank; r++) {
    const sign = r % 16 < patternCount ? amplitude : -amplitude;
    for (let i = 0; i < dim; i++) fc1[r * dim + i]! += sign * pattern(r % patternCount, i);
  }
  const share = 16 / (rank * score);
  const fc2 = data.normal(neurons * rank, 0.02 * share);
  for (let neuron = 0; neuron < neurons; neuron++) {
    const k = data.random.integer(patternCount);
    for (let r = k; r < rank; r += patternCount) {
      fc2[neuron * rank + r]! += r % 16 < patternCount ? share : -share;
    }
  }
  return {
    kind: "mlp",
    input,
    fc1: memoryWeight("fc1", type, [rank, dim], fc1),
    fc2: memoryWeight("fc2", type, [neurons, rank], fc2),
    threshold: 0.2,
  };
}
