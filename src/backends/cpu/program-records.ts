/**
 * The plain numbers that a program becomes for the addon: one table of records and their fields. lower.ts writes records
 * by these names; native/runtime/program-records.h is made of this table (`npm run program-records`), and C++ reads
 * fields by name, so that a field that only one side has does not compile.
 *
 * Each field is one number. Slots, weights and arrays are indexes into their lists, -1 for none; flags are 0 or 1.
 */
import type { KvType } from "../../ops/kv-shape.ts";
import type { Gating, Router, RowFunction, SparsityMethod } from "../../ops/op.ts";

/** Records of the ops of a segment: a code, which is the record's place in this list, then its fields in order. */
export const opRecords = {
  embed: ["out", "table", "positions", "offset", "scale"],
  norm: ["form", "x", "out", "groups", "weight", "bias", "epsilon"],
  matmul: ["x", "out", "adds", "weight", "bias", "channels"],
  rope: ["x", "heads", "pairing", "frequencies", "magnitude"],
  "store-kv": ["layer", "k", "v"],
  attention: ["layer", "q", "out", "heads", "scale", "window", "softCap", "sinks"],
  convolve: ["layer", "x", "out", "weight"],
  "delta-rule": [
    "layer",
    "x",
    "decay",
    "strength",
    "out",
    "keyHeads",
    "keyRun",
    "rate",
    "bias",
    "epsilon",
  ],
  activate: ["gating", "activation", "threshold", "gate", "up", "out"],
  /** The record of its method follows. */
  ffn: [
    "x",
    "out",
    "adds",
    "layer",
    "dim",
    "neurons",
    "gating",
    "activation",
    "threshold",
    "gate",
    "gateBias",
    "up",
    "upBias",
    "downRows",
    "down",
    "downBias",
    "hiddenNorm",
    "hiddenEpsilon",
    "subset",
    "subsetCount",
    "gateChannels",
    "upChannels",
  ],
  /** The record of its predictor, a method, follows. */
  predict: ["x", "out", "layer", "neurons"],
  mask: ["x", "out", "value", "norms"],
  add: ["x", "out", "factor"],
  /** cap 0: none. `factors` has one for each stretch of `length` positions. */
  scale: ["x", "out", "factor", "cap", "length", "factors", "factorCount"],
  copy: ["x", "out"],
  part: ["x", "out", "groups", "first"],
  select: ["x", "out"],
  argmax: ["x", "out"],
  /** A slot is copied to its host memory. */
  publish: ["slot"],
  route: ["x", "out", "scores", "bias", "groups", "groupsUsed", "normalise", "scale", "factors"],
  /** Of each stacked weight its first row, and the rows from one expert to the next. */
  experts: [
    "x",
    "routes",
    "out",
    "adds",
    "layer",
    "count",
    "neurons",
    "subset",
    "subsetCount",
    "gating",
    "activation",
    "threshold",
    "gate",
    "gateFirst",
    "gateStride",
    "gateApart",
    "gateBias",
    "gateBiasFirst",
    "gateBiasStride",
    "up",
    "upFirst",
    "upStride",
    "upApart",
    "upBias",
    "upBiasFirst",
    "upBiasStride",
    "down",
    "downFirst",
    "downStride",
    "downApart",
    "downBias",
    "downBiasFirst",
    "downBiasStride",
  ],
} as const;

/** Records of a block's method, as those of ops. */
export const methodRecords = {
  dense: [],
  gate: [],
  mlp: ["input", "fc1", "fc2", "threshold"],
  sign: ["signs", "margin", "margins", "centre"],
  "threshold-gate": ["value"],
  "threshold-output": ["value", "norms"],
  given: ["active", "predictorBytes"],
} as const;

/** Records without a code, in lists of their own kind. */
export const listRecords = {
  slot: ["width", "outputs", "host", "published"],
  weight: ["type", "rows", "columns", "source", "offset"],
  kv: ["type"],
  /** A layer without keys and values has none of these. */
  kvLayer: ["kvHeads", "keyWidth", "valueWidth", "cells", "places"],
  /** The state of each layer of the cache; one without keeps zeros. */
  stateLayer: ["states", "positions", "channels", "heads", "rows", "columns"],
} as const;

/** Choices that a field writes as a number. */
export const choiceCodes: {
  readonly normForm: Readonly<Record<"rms" | "layer", number>>;
  readonly ropePairing: Readonly<Record<"adjacent" | "halves", number>>;
  readonly gating: Readonly<Record<Gating, number>>;
  readonly activation: Readonly<Record<RowFunction["kind"], number>>;
  readonly kvType: Readonly<Record<KvType, number>>;
  readonly routerScores: Readonly<Record<Router["scores"], number>>;
} = {
  normForm: { rms: 0, layer: 1 },
  ropePairing: { adjacent: 0, halves: 1 },
  gating: { ungated: 0, gated: 1, both: 2, clamped: 3 },
  activation: {
    silu: 0,
    gelu: 1,
    "gelu-tanh": 2,
    relu: 3,
    relu2: 4,
    fatrelu: 5,
    sigmoid: 6,
    "clamped-swish": 7,
  },
  kvType: { f32: 0, f16: 1, q8_0: 8 },
  routerScores: { softmax: 0, sigmoid: 1, "softmax-of-chosen": 2 },
};

type Fields<Names extends readonly string[]> = Readonly<Record<Names[number], number>>;
type OpRecords = typeof opRecords;
type MethodRecords = typeof methodRecords;
type ListRecords = typeof listRecords;

const opNames = Object.keys(opRecords);
const methodNames = Object.keys(methodRecords);

export function opRecord<Name extends keyof OpRecords>(
  name: Name,
  fields: Fields<OpRecords[Name]>,
): readonly number[] {
  return [opNames.indexOf(name), ...inOrder(opRecords[name], fields)];
}

export function methodRecord<Name extends SparsityMethod["kind"]>(
  name: Name,
  fields: Fields<MethodRecords[Name]>,
): readonly number[] {
  return [methodNames.indexOf(name), ...inOrder(methodRecords[name], fields)];
}

export function listRecord<Name extends keyof ListRecords>(
  name: Name,
  fields: Fields<ListRecords[Name]>,
): readonly number[] {
  return inOrder(listRecords[name], fields);
}

function inOrder<Name extends string>(
  names: readonly Name[],
  fields: Readonly<Record<Name, number>>,
): readonly number[] {
  return names.map((name) => fields[name]);
}
