/** Cases of mixtures of experts: every weight type and form of an expert, all of them and some, few rows and many. */
import { type WeightType, weightFormat, weightTypes } from "../../core/dtype.ts";
import type { Activation, ExpertStack, Gating, Into, Router, StackedWeight } from "../../ops/op.ts";
import { rowRange } from "../../ops/row-range.ts";
import type { ConformanceCase } from "./case.ts";
import { type CaseData, createCaseData } from "./case-data.ts";
import { distinctLogits } from "./cases-routes.ts";
import { activations, gatings, meetsAllForms, runsOf } from "./cases-rows.ts";
import { createProgramBuilder, memoryWeight } from "./program-builder.ts";

export function expertCases(): readonly ConformanceCase[] {
  return [
    ...formCases(),
    ...weightTypes.map(typeCase),
    promptCase(),
    unlikeCase(),
    apartCase(),
    ...partCases(),
  ];
}

interface StackShape {
  readonly type: WeightType;
  /** Default: `type`. */
  readonly gateType?: WeightType;
  readonly downType: WeightType;
  readonly experts: number;
  readonly used: number;
  readonly dim: number;
  readonly neurons: number;
  readonly gating: Gating;
  readonly activation: Activation;
  readonly hasBiases: boolean;
  /** Gate and up in one tensor. */
  readonly isFused: boolean;
  /** Each matrix a weight of its own, as in files of before April 2024. */
  readonly isApart?: true;
  readonly into: Into;
  /** Ids of those that are computed. Default: all. */
  readonly subset?: readonly number[];
  readonly counts: readonly number[];
}

/** Every gating with every activation; biases, fusion and the sum take turns. */
function formCases(): readonly ConformanceCase[] {
  const forms = gatings.flatMap((gating) =>
    activations.map((activation) => ({ gating, activation })),
  );
  return forms.map((form, turn) =>
    expertsCase({
      ...form,
      ...sizesOf("F32"),
      experts: 6,
      used: 1 + (turn % 3),
      hasBiases: turn % 2 === 0,
      isFused: form.gating !== "ungated" && turn % 3 === 1,
      into: turn % 4 < 2 ? "assign" : "add",
      counts: [1, 5],
    }),
  );
}

/** Offsets, and two experts' errors in one sum, leave little room: relu makes half of what they multiply exactly 0. */
function typeCase(type: WeightType): ConformanceCase {
  const turn = weightTypes.indexOf(type);
  return expertsCase({
    ...sizesOf(type),
    gating: turn % 4 === 3 ? "clamped" : "gated",
    activation: { kind: turn % 4 === 3 ? "clamped-swish" : "relu" },
    experts: 5,
    used: 2,
    hasBiases: turn % 2 === 0,
    isFused: turn % 3 === 0,
    into: turn % 2 === 0 ? "add" : "assign",
    counts: meetsAllForms(type) ? [1, 2, 17] : [1, 9],
  });
}

/** More rows for one expert than a tile of any kernel holds, none for others, and more neurons than one. */
function promptCase(): ConformanceCase {
  return expertsCase({
    type: "Q4_0",
    downType: "Q8_0",
    dim: 160,
    neurons: 96,
    gating: "gated",
    activation: { kind: "silu" },
    experts: 9,
    used: 3,
    hasBiases: false,
    isFused: false,
    into: "add",
    counts: [130, 1],
  });
}

/** Gate and up of two types. */
function unlikeCase(): ConformanceCase {
  return expertsCase({
    ...sizesOf("MXFP4"),
    gateType: "F16",
    gating: "gated",
    activation: { kind: "silu" },
    experts: 6,
    used: 2,
    hasBiases: true,
    isFused: false,
    into: "assign",
    counts: [1, 3],
  });
}

/** An expert of one row, one of several, and those that nobody chose. */
function apartCase(): ConformanceCase {
  return expertsCase({
    ...sizesOf("Q4_0"),
    downType: "Q8_0",
    gating: "gated",
    activation: { kind: "silu" },
    experts: 8,
    used: 2,
    hasBiases: false,
    isFused: false,
    isApart: true,
    into: "assign",
    counts: [1, 5, 40],
  });
}

/** Rows that choose none of the experts that are computed, one of them, or several; expert 1 is the one most chosen. */
function partCases(): readonly ConformanceCase[] {
  const shared = { gating: "gated", activation: { kind: "silu" }, hasBiases: true } as const;
  const size = {
    ...sizesOf("Q4_0"),
    downType: "Q8_0",
    experts: 9,
    used: 3,
    isFused: true,
  } as const;
  return [
    expertsCase({ ...shared, ...size, subset: [1, 3, 6], into: "assign", counts: [1, 5, 90] }),
    expertsCase({
      ...shared,
      ...size,
      isFused: false,
      isApart: true,
      subset: [0, 8],
      into: "add",
      counts: [1, 4],
    }),
  ];
}

/** Whole blocks in both directions, and no power of two where that allows. */
function sizesOf(type: WeightType): Pick<StackShape, "type" | "downType" | "dim" | "neurons"> {
  const { blockElements } = weightFormat(type);
  if (blockElements === 1) return { type, downType: type, dim: 72, neurons: 44 };
  if (blockElements <= 64) return { type, downType: type, dim: 192, neurons: 64 };
  return { type, downType: type, dim: 256, neurons: 256 };
}

function expertsCase(shape: StackShape): ConformanceCase {
  const { type, experts, used, gating, activation, hasBiases, isFused, counts, subset } = shape;
  const extras = [
    hasBiases ? "biases" : "",
    isFused ? "gate and up in one tensor" : "",
    shape.isApart ? "matrices apart" : "",
    shape.gateType === undefined ? "" : `a gate of ${shape.gateType}`,
    subset === undefined ? "" : `${subset.length} experts here`,
  ];
  const having = extras.filter(Boolean).join(" and ");
  return {
    name: `sums ${used} of ${experts} ${gating} ${activation.kind} experts of ${type} over up to ${Math.max(...counts)} rows${having && `, with ${having}`}`,
    scale: "small",
    traits: { op: "experts", weightType: type, activation: activation.kind },
    build: () => {
      const data = createCaseData(shape.dim + experts * used);
      const builder = createProgramBuilder();
      const x = builder.slot("x", shape.dim);
      const logits = builder.slot("logits", experts);
      const routes = builder.slot("routes", 2 * used);
      const out = builder.slot("out", shape.dim);
      const router: Router = { scores: "softmax", normalise: true, scale: 1 };
      const made = makeStack(shape, data);
      const stack = shape.isApart ? takenApart(made) : made;
      builder.segment(
        [
          { kind: "route", x: logits, out: routes, router },
          {
            kind: "experts",
            x,
            routes,
            out,
            into: shape.into,
            stack,
            ...(subset && { subset: Uint32Array.from(subset) }),
          },
        ],
        [routes, out],
      );
      const program = builder.build({ maxRows: Math.max(...counts) });
      const actions = runsOf(program, counts, (rows) => [
        { kind: "write", slot: x, data: data.inputs(rows, shape.dim) },
        { kind: "write", slot: logits, data: skewedLogits(rows, experts, data) },
        { kind: "write", slot: out, data: data.normal(rows * shape.dim) },
      ]);
      return { program, actions };
    },
  };
}

/** Expert 1 is in most choices, the last one in none. */
function skewedLogits(rows: number, experts: number, data: CaseData): Float32Array {
  const logits = distinctLogits(rows, experts, data);
  for (let row = 0; row < rows; row++) {
    logits[row * experts + experts - 1] = -2;
    if (row % 8 !== 5) logits[row * experts + 1]! += 0.5;
  }
  return logits;
}

function makeStack(shape: StackShape, data: CaseData): ExpertStack {
  const { type, downType, experts: count, dim, neurons, gating, activation } = shape;
  const size = neurons * dim;
  const matrices = (): Float32Array => data.scoring(count * neurons, dim, 2.5);
  const isGated = gating !== "ungated";
  const up = matrices();
  const gate = matrices();
  const down = memoryWeight(
    "down",
    downType,
    [count * dim, neurons],
    data.normal(count * size, 0.1),
  );
  const vectors = (name: string, length: number): StackedWeight => {
    const values = data.normal(count * length, 0.1);
    return stacked(memoryWeight(name, "F32", [count, length], values), 1);
  };
  return {
    layer: 0,
    count,
    dim,
    neurons,
    gating,
    activation,
    ...(shape.isFused
      ? fused(
          memoryWeight(
            "gate and up",
            type,
            [2 * count * neurons, dim],
            interleaved(gate, up, size),
          ),
          neurons,
        )
      : {
          up: stacked(memoryWeight("up", type, [count * neurons, dim], up), neurons),
          ...(isGated && {
            gate: stacked(
              memoryWeight("gate", shape.gateType ?? type, [count * neurons, dim], gate),
              neurons,
            ),
          }),
        }),
    down: stacked(down, dim),
    ...(shape.hasBiases && {
      upBias: vectors("up bias", neurons),
      downBias: vectors("down bias", dim),
    }),
    ...(shape.hasBiases && isGated && { gateBias: vectors("gate bias", neurons) }),
  };
}

function takenApart(stack: ExpertStack): ExpertStack {
  const apartOf = ({ weight, rows }: StackedWeight): StackedWeight => {
    const apart = Array.from({ length: stack.count }, (_, i) => rowRange(weight, i * rows, rows));
    return { weight: apart[0]!, first: 0, stride: 0, rows, apart };
  };
  const { gate, up, down } = stack;
  return {
    ...stack,
    ...(gate && { gate: apartOf(gate) }),
    up: apartOf(up),
    down: apartOf(down),
  };
}

function stacked(weight: StackedWeight["weight"], rows: number): StackedWeight {
  return { weight, first: 0, stride: rows, rows };
}

/** Of each expert, the rows of its gate before those of its up. */
function fused(weight: StackedWeight["weight"], rows: number): Pick<ExpertStack, "gate" | "up"> {
  const part = { weight, stride: 2 * rows, rows };
  return { gate: { ...part, first: 0 }, up: { ...part, first: rows } };
}

function interleaved(first: Float32Array, second: Float32Array, length: number): Float32Array {
  const both = new Float32Array(first.length + second.length);
  for (let at = 0; at < first.length; at += length) {
    both.set(first.subarray(at, at + length), 2 * at);
    both.set(second.subarray(at, at + length), 2 * at + length);
  }
  return both;
}
