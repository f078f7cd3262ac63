/** Cases of products and blocks that read a masked input and have channel-major copies. */
import { type WeightType, weightFormat } from "../../core/dtype.ts";
import type { Op } from "../../ops/op.ts";
import type { CaseAction, CaseScript, ConformanceCase } from "./case.ts";
import { type CaseData, createCaseData } from "./case-data.ts";
import { runsOf } from "./cases-rows.ts";
import { channelCopy, withChannels } from "./channels.ts";
import { type CaseBlockShape, makeFfnBlock } from "./ffn-block.ts";
import { createProgramBuilder, memoryWeight } from "./program-builder.ts";

export function channelCases(): readonly ConformanceCase[] {
  return [...copies.map(matmulCase), ...blocks.map(blockCase), inPlaceCase()];
}

interface Copy {
  readonly type: WeightType;
  readonly copy: WeightType;
  /** Whole blocks both ways, and no vector's length where that allows. */
  readonly columns: number;
  readonly rows: readonly number[];
}

/** The types that the rows of a copy have, of weights of the same type and of others. */
const copies: readonly Copy[] = [
  { type: "F32", copy: "F32", columns: 88, rows: [1, 17, 130] },
  { type: "F16", copy: "F16", columns: 88, rows: [1, 17, 130] },
  { type: "BF16", copy: "BF16", columns: 88, rows: [1, 17, 130] },
  // So many channels that a backend may share them out.
  { type: "F16", copy: "F16", columns: 600, rows: [17, 64] },
  { type: "Q8_0", copy: "Q8_0", columns: 160, rows: [32, 96] },
  { type: "Q4_0", copy: "Q8_0", columns: 160, rows: [32, 96] },
  { type: "Q4_0", copy: "F16", columns: 160, rows: [3, 17] },
  { type: "Q6_K", copy: "Q8_0", columns: 256, rows: [32, 96] },
];

/** One row, few as in decoding, and many as in a prompt. */
const stepRowCounts = [1, 2, 5, 33];

function matmulCase(shape: Copy): ConformanceCase {
  const { type, copy, columns } = shape;
  return {
    name: `multiplies masked rows of ${columns} with ${type} matrices that have copies by channel in ${copy}`,
    scale: "small",
    traits: { op: "matmul", weightType: type, hasChannels: true },
    build: () => matmulScript(shape),
  };
}

function matmulScript({ type, copy, columns, rows }: Copy): CaseScript {
  const data = createCaseData(columns);
  const builder = createProgramBuilder();
  const x = builder.slot("x", columns);
  const masked = builder.slot("masked", columns);
  const outs = rows.map((width) => builder.slot(`out${width}`, width));
  const norms = data.normal(columns, 0.2).map((value) => 1 + value);
  const products = outs.map((out, i): Op => {
    const values = data.normal(out.width * columns, 1 / Math.sqrt(columns));
    const weight = memoryWeight(`w${out.width}`, type, [out.width, columns], values);
    const bias = memoryWeight("bias", "F32", [1, out.width], data.normal(out.width));
    const into = i % 2 === 0 ? "assign" : "add";
    const channels = channelCopy(weight, copy);
    return { kind: "matmul", x: masked, out, into, weight, channels, ...(i === 0 ? {} : { bias }) };
  });
  builder.segment([{ kind: "mask", x, out: masked, value: 0.8, norms }, ...products], outs);
  const program = builder.build({ maxRows: Math.max(...stepRowCounts) });
  const written = (count: number, sizes: readonly number[]): readonly CaseAction[] => [
    { kind: "write", slot: x, data: rowsOfSizes(data, { count, width: columns, sizes }) },
    ...outs.map(
      (slot): CaseAction => ({ kind: "write", slot, data: data.normal(count * slot.width) }),
    ),
  ];
  // A twentieth of the channels and none, in turn: few rows are less work by channels. Then half of them, and nearly all.
  const actions = [
    ...runsOf(program, stepRowCounts, (count) => written(count, [0.4, 0.01])),
    ...runsOf(program, [1, 5], (count) => written(count, [1])),
    ...runsOf(program, [1, 5], (count) => written(count, [100])),
    ...runsOf(program, [1], (count) => written(count, [0.01])),
  ];
  return { program, actions };
}

/** Normal rows, each times one of the sizes, which take turns. */
function rowsOfSizes(
  data: CaseData,
  rows: { readonly count: number; readonly width: number; readonly sizes: readonly number[] },
): Float32Array {
  const { count, width, sizes } = rows;
  return data
    .normal(count * width)
    .map((value, at) => value * (sizes[Math.floor(at / width) % sizes.length] ?? 1));
}

interface BlockShape extends CaseBlockShape {
  readonly copy: WeightType;
  /** Of the method: 0 keeps every neuron that is not 0. */
  readonly value: "zero" | "between scores";
}

const common = { method: "threshold-output", isSubset: false } as const;
const small = { ...common, dim: 72, neurons: 100 } as const;
const blocks32 = { ...common, dim: 96, neurons: 160 } as const;

/** Gatings, activations, layouts, biases and thresholds take turns over the types. */
const blocks: readonly BlockShape[] = [
  {
    ...small,
    type: "F32",
    copy: "F32",
    gating: "gated",
    activation: { kind: "silu" },
    downLayout: "rows",
    hasBiases: false,
    value: "between scores",
  },
  {
    ...small,
    type: "F32",
    copy: "F32",
    gating: "ungated",
    activation: { kind: "gelu" },
    downLayout: "columns",
    hasBiases: true,
    value: "zero",
  },
  {
    ...small,
    type: "F16",
    copy: "F16",
    gating: "gated",
    activation: { kind: "gelu" },
    downLayout: "rows",
    hasBiases: true,
    value: "zero",
  },
  {
    ...small,
    type: "F16",
    copy: "F16",
    gating: "gated",
    activation: { kind: "silu" },
    downLayout: "rows",
    hasBiases: true,
    value: "between scores",
    isSubset: true,
  },
  {
    ...small,
    type: "BF16",
    copy: "BF16",
    gating: "both",
    activation: { kind: "relu" },
    downLayout: "rows",
    hasBiases: false,
    value: "zero",
  },
  {
    ...blocks32,
    type: "Q8_0",
    copy: "Q8_0",
    gating: "gated",
    activation: { kind: "silu" },
    downLayout: "rows",
    hasBiases: true,
    value: "between scores",
  },
  {
    ...blocks32,
    type: "Q4_0",
    copy: "Q8_0",
    gating: "ungated",
    activation: { kind: "silu" },
    downLayout: "columns",
    hasBiases: false,
    value: "between scores",
  },
  {
    ...blocks32,
    type: "Q4_0",
    copy: "F16",
    gating: "gated",
    activation: { kind: "gelu-tanh" },
    downLayout: "rows",
    hasBiases: false,
    value: "zero",
  },
  {
    ...common,
    dim: 256,
    neurons: 256,
    type: "Q6_K",
    copy: "Q8_0",
    gating: "gated",
    activation: { kind: "silu" },
    downLayout: "columns",
    hasBiases: true,
    value: "between scores",
  },
];

function blockCase(shape: BlockShape): ConformanceCase {
  const { type, copy, gating, activation, downLayout, value } = shape;
  const extras = [shape.isSubset ? ", of a subset" : "", shape.hasBiases ? ", with biases" : ""];
  return {
    name: `threshold-output (${value}) runs a ${gating} ${activation.kind} block of ${type} with copies by channel in ${copy}, down as ${downLayout}${extras.join("")}`,
    scale: "small",
    traits: {
      op: "ffn",
      weightType: type,
      method: "threshold-output",
      downLayout,
      hasChannels: true,
    },
    build: () => blockScript(shape, "another slot"),
  };
}

/** The mask writes the slot that it reads, and the block adds to it. */
function inPlaceCase(): ConformanceCase {
  const [shape] = blocks as readonly [BlockShape];
  return {
    name: "a block with copies by channel reads a masked slot before it adds to it",
    scale: "small",
    traits: { op: "ffn", weightType: "F32", method: "threshold-output", hasChannels: true },
    build: () => blockScript(shape, "the same slot"),
  };
}

function blockScript(shape: BlockShape, into: "another slot" | "the same slot"): CaseScript {
  const data = createCaseData(shape.dim + shape.neurons);
  const builder = createProgramBuilder();
  const x = builder.slot("x", shape.dim);
  const out = into === "another slot" ? builder.slot("out", shape.dim) : x;
  const made = withChannels(makeFfnBlock(shape, data, x), shape.copy);
  const method =
    made.method.kind === "threshold-output" && shape.value === "zero"
      ? { ...made.method, value: 0 }
      : made.method;
  const ops: Op[] = [
    { kind: "mask", x, out: x, value: quiet },
    { kind: "ffn", x, out, into: "add", block: { ...made, method } },
  ];
  builder.segment(ops, [out]);
  const counts = weightFormat(shape.type).blockElements > 32 ? [1, 5] : [1, 2, 5, 17];
  const program = builder.build({ maxRows: Math.max(...counts) });
  const actions = runsOf(program, counts, (rows): readonly CaseAction[] => [
    { kind: "write", slot: out, data: data.normal(rows * shape.dim) },
    { kind: "write", slot: x, data: mostlyQuiet(data.inputs(rows, shape.dim), shape.dim) },
  ]);
  return { program, actions };
}

/** Above every quiet channel: inputs of CaseData are at most 8·0.354 and noise of 0.1 (up to 6 of it), times 0.02 here. */
const quiet = 0.08;

/**
 * A quarter of the channels times 4, in groups of eight; the rest times 0.02, and every other row wholly so. The patterns of
 * CaseData are orthogonal over each group, so scores stay near those of whole rows, or all are 0.
 */
function mostlyQuiet(x: Float32Array, dim: number): Float32Array {
  return x.map((value, at) => {
    const isLoud = Math.floor((at % dim) / 8) % 4 === 0 && Math.floor(at / dim) % 2 === 0;
    return value * (isLoud ? 4 : 0.02);
  });
}
