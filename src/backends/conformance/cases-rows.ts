/** Cases of the ops that treat rows alone: embed, matmul, norm, rope, activate, add, copy, part, select, argmax, top-k. */
import { type WeightType, weightFormat, weightTypes } from "../../core/dtype.ts";
import type { Activation, Gating, Op, RowFunction, Slot } from "../../ops/op.ts";
import type { CaseAction, CaseScript, ConformanceCase } from "./case.ts";
import { type CaseData, createCaseData } from "./case-data.ts";
import { createProgramBuilder, memoryWeight, type StepRow, stepOf } from "./program-builder.ts";

/** Tails of vector loops, tiles of matrix kernels. */
const outputRowCounts = [1, 3, 17, 64, 130];
const stepRowCounts = [1, 2, 5, 33, 128];
/** Of types that do not meet all forms. */
const fewOutputRowCounts = [130];
const fewStepRowCounts = [1, 5, 33];

export const activations: readonly Activation[] = [
  { kind: "silu" },
  { kind: "gelu" },
  { kind: "gelu-tanh" },
  { kind: "relu" },
  { kind: "relu2" },
  { kind: "fatrelu", threshold: 1 },
  { kind: "clamped-swish" },
];

const rowFunctions: readonly RowFunction[] = [...activations, { kind: "sigmoid" }];

export const gatings: readonly Gating[] = ["ungated", "gated", "both", "clamped"];

export function rowCases(): readonly ConformanceCase[] {
  return [
    ...weightTypes.flatMap(matmulCases),
    fewRowsCase(),
    ...weightTypes.map(embedCase),
    ...normCases(),
    ...ropeCases(),
    ...gatings.map(activateCase),
    movesCase(),
    argmaxCase(),
    notFiniteCase(),
    topKCase(),
  ];
}

/** Some types meet every form of an op; a backend decodes the others in the same places. */
const thoroughTypes: ReadonlySet<WeightType> = new Set<WeightType>([
  ...(["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"] as const),
  ...(["Q4_K", "Q5_K", "Q6_K"] as const),
]);

/** Whether there are cases of every form for the type; otherwise a few, which take turns. */
export function meetsAllForms(type: WeightType): boolean {
  return thoroughTypes.has(type);
}

/**
 * Columns: the fewest blocks a type allows, and a number of blocks that no vector loop divides; of the types of 32
 * columns a block also each rest of blocks that a backend may read in groups of four.
 */
function columnsOf(type: WeightType): readonly number[] {
  const { blockElements } = weightFormat(type);
  if (!meetsAllForms(type)) return blockElements === 32 ? [160, 192, 224] : [2 * blockElements];
  if (blockElements === 1) return [8, 88];
  if (blockElements === 32) return [32, 160, 192, 224, 512];
  return [blockElements, 3 * blockElements];
}

/** Writes fresh inputs and runs segment 0 with each number of rows. */
export function runsOf(
  program: CaseScript["program"],
  counts: readonly number[],
  write: (rows: number) => readonly CaseAction[],
): readonly CaseAction[] {
  return counts.flatMap((count) => {
    const rows: readonly StepRow[] = Array.from({ length: count }, () => ({}));
    return [...write(count), { kind: "run", segment: 0, step: stepOf(program, rows) }];
  });
}

function matmulCases(type: WeightType): readonly ConformanceCase[] {
  return columnsOf(type).map((columns) => ({
    name: `multiplies ${type} matrices of ${columns} columns with steps of 1 to ${meetsAllForms(type) ? 128 : 33} rows`,
    scale: "small",
    traits: { op: "matmul", weightType: type },
    build: () => matmulScript(type, columns),
  }));
}

/** Counts of rows between one and those of prompts, and rows so long that a backend may cut the sums into parts. */
function fewRowsCase(): ConformanceCase {
  return {
    name: "multiplies F16 matrices of 1100 columns with steps of 3, 8, 9, 16, 17 and 40 rows",
    scale: "small",
    traits: { op: "matmul", weightType: "F16" },
    build: () => matmulScript("F16", 1100, [3, 8, 9, 16, 17, 40]),
  };
}

/** One matmul for each number of output rows; with and without bias, assigning and adding. */
function matmulScript(
  type: WeightType,
  columns: number,
  counts: readonly number[] = meetsAllForms(type) ? stepRowCounts : fewStepRowCounts,
): CaseScript {
  const data = createCaseData(columns);
  const builder = createProgramBuilder();
  const x = builder.slot("x", columns);
  const rowCounts = meetsAllForms(type) ? outputRowCounts : fewOutputRowCounts;
  const outs = rowCounts.map((rows) => builder.slot(`out${rows}`, rows));
  const ops = outs.map((out, i): Op => {
    const values = data.normal(out.width * columns, 1 / Math.sqrt(columns));
    const weight = memoryWeight(`w${out.width}`, type, [out.width, columns], values);
    const bias = memoryWeight("bias", "F32", [1, out.width], data.normal(out.width));
    const into = i % 2 === 0 ? "assign" : "add";
    return { kind: "matmul", x, out, into, weight, ...(i % 3 === 0 ? {} : { bias }) };
  });
  builder.segment(ops, outs);
  const program = builder.build({ maxRows: 128 });
  const actions = runsOf(program, counts, (rows) =>
    [x, ...outs].map((slot) => ({ kind: "write", slot, data: data.normal(rows * slot.width) })),
  );
  return { program, actions };
}

function embedCase(type: WeightType): ConformanceCase {
  return {
    name: `embeds tokens from a ${type} table, with and without learned positions`,
    scale: "small",
    traits: { op: "embed", weightType: type },
    build: () => {
      const width = columnsOf(type)[1] ?? 2 * weightFormat(type).blockElements;
      const data = createCaseData(2);
      const builder = createProgramBuilder();
      const plain = builder.slot("plain", width);
      const placed = builder.slot("placed", width);
      const table = memoryWeight("table", type, [37, width], data.normal(37 * width));
      const places = memoryWeight("places", type, [12, width], data.normal(12 * width));
      const positions = { weight: places, offset: 2 };
      const ops: Op[] = [
        { kind: "embed", out: plain, table, scale: 1 },
        { kind: "embed", out: placed, table, positions, scale: 12.5 },
      ];
      builder.segment(ops, [plain, placed]);
      const program = builder.build({ maxRows: 5 });
      const rows = [0, 36, 7, 7, 20].map((token, i) => ({ token, position: 9 - 2 * i }));
      const run = (count: number): CaseAction => ({
        kind: "run",
        segment: 0,
        step: stepOf(program, rows.slice(0, count)),
      });
      return { program, actions: [run(5), run(1)] };
    },
  };
}

function normCases(): readonly ConformanceCase[] {
  return (["rms", "layer"] as const).flatMap((form) =>
    [8, 100, 1024].map((width) => ({
      name: `norms (${form}) rows of ${width}, whole and in groups, in place and not, also rows of zeros`,
      scale: "small" as const,
      traits: { op: "norm" as const },
      build: () => normScript(form, width),
    })),
  );
}

function normScript(form: "rms" | "layer", width: number): CaseScript {
  const data = createCaseData(width);
  const builder = createProgramBuilder();
  const x = builder.slot("x", width);
  const whole = builder.slot("whole", width);
  const grouped = builder.slot("grouped", width);
  const vector = (name: string, length: number) =>
    memoryWeight(name, "F32", [1, length], data.normal(length));
  const common = { kind: "norm", form, epsilon: 1e-5 } as const;
  const ops: Op[] = [
    { ...common, x, out: whole, groups: 1, weight: vector("w", width), bias: vector("b", width) },
    { ...common, x, out: grouped, groups: 4, weight: vector("per head", width / 4) },
    { ...common, x, out: x, groups: 1 },
  ];
  builder.segment(ops, [whole, grouped, x]);
  const program = builder.build({ maxRows: 33 });
  const actions = runsOf(program, [1, 5, 33], (rows) => {
    const values = data.normal(rows * width, 3).map((value) => value + 0.5);
    values.fill(0, (rows - 1) * width + width / 2);
    if (rows > 1) values.fill(0, 0, width);
    return [{ kind: "write", slot: x, data: values }];
  });
  return { program, actions };
}

function ropeCases(): readonly ConformanceCase[] {
  const shapes = [
    { headDim: 8, pairs: 4, magnitude: 1 },
    { headDim: 80, pairs: 16, magnitude: 1 },
    { headDim: 128, pairs: 64, magnitude: 1.19 },
  ];
  return (["adjacent", "halves"] as const).flatMap((pairing) =>
    shapes.map(({ headDim, pairs, magnitude }) => ({
      name: `rotates ${pairs} ${pairing} pairs of heads of ${headDim} at positions up to 4095`,
      scale: "small" as const,
      traits: { op: "rope" as const },
      build: () => {
        const data = createCaseData(headDim);
        const builder = createProgramBuilder();
        const heads = 3;
        const x = builder.slot("x", heads * headDim);
        const frequencies = new Float32Array(pairs).map((_, i) => 10_000 ** (-i / pairs));
        builder.segment([{ kind: "rope", x, heads, pairing, frequencies, magnitude }], [x]);
        const program = builder.build({ maxRows: 5 });
        const rows = [0, 1, 37, 1000, 4095].map((position) => ({ position }));
        const actions: CaseAction[] = [
          { kind: "write", slot: x, data: data.normal(5 * x.width) },
          { kind: "run", segment: 0, step: stepOf(program, rows) },
        ];
        return { program, actions };
      },
    })),
  );
}

function activateCase(gating: Gating): ConformanceCase {
  return {
    name: `activates ${gating} rows with every function`,
    scale: "small",
    traits: { op: "activate" },
    build: () => {
      const data = createCaseData(3);
      const builder = createProgramBuilder();
      const gate = builder.slot("gate", 100);
      const up = builder.slot("up", 100);
      const outs = rowFunctions.map(({ kind }) => builder.slot(kind, 100));
      const ops = rowFunctions.map((activation, i): Op => {
        const out = outs[i] as Slot;
        const inputs = gating === "ungated" ? { up } : { up, gate };
        return { kind: "activate", gating, activation, out, ...inputs };
      });
      builder.segment(ops, outs);
      const program = builder.build({ maxRows: 33 });
      const actions = runsOf(program, [1, 33], (rows) => [
        { kind: "write", slot: gate, data: activationInputs(data, rows * 100) },
        { kind: "write", slot: up, data: activationInputs(data, rows * 100) },
      ]);
      return { program, actions };
    },
  };
}

/** Normal numbers, both zeros, a threshold met exactly, and values far out where exponentials end. */
function activationInputs(data: CaseData, length: number): Float32Array {
  const values = data.normal(length, 2);
  values.set([0, 1, -1, 12, -12, 60, -60, 1e-20], 0);
  return values;
}

function movesCase(): ConformanceCase {
  return {
    name: "adds, copies, takes parts of and selects rows, one output row or all",
    scale: "small",
    traits: { op: "select" },
    build: () => {
      const data = createCaseData(4);
      const builder = createProgramBuilder();
      const [x, sum, copied] = [
        builder.slot("x", 77),
        builder.slot("sum", 77),
        builder.slot("c", 77),
      ];
      const parts = builder.slot("parts", 33);
      const out = builder.slot("out", 77, "outputs");
      const ops: Op[] = [
        { kind: "add", x, out: sum },
        { kind: "add", x, out: sum, factor: -0.22 },
        { kind: "copy", x: sum, out: copied },
        { kind: "part", x: copied, out: parts, groups: 11, first: 4 },
        { kind: "select", x: copied, out },
      ];
      builder.segment(ops, [sum, copied, parts, out]);
      const program = builder.build({ maxRows: 33, maxOutputs: 33 });
      const rows = Array.from({ length: 33 }, () => ({}));
      const all = Array.from({ length: 33 }, (_, row) => row);
      const run = (count: number, outputs: readonly number[]): readonly CaseAction[] => [
        { kind: "write", slot: x, data: data.normal(count * 77) },
        { kind: "write", slot: sum, data: data.normal(count * 77) },
        { kind: "run", segment: 0, step: stepOf(program, rows.slice(0, count), outputs) },
      ];
      const actions = [run(33, all), run(33, [0, 13, 32]), run(1, [0]), run(5, [4]), run(5, [])];
      return { program, actions: actions.flat() };
    },
  };
}

function argmaxCase(): ConformanceCase {
  return {
    name: "takes the first of the largest values, ties within and across vectors, below zero, and the last",
    scale: "small",
    traits: { op: "argmax" },
    build: () => {
      const width = 5003;
      const data = createCaseData(5);
      const builder = createProgramBuilder();
      const x = builder.slot("x", width);
      const out = builder.slot("out", 1);
      builder.segment([{ kind: "argmax", x, out }], [out]);
      const program = builder.build({ maxRows: 6 });
      const values = data.normal(6 * width).map((value) => Math.min(value, 6));
      for (const place of [4001, 257, 258, 5002]) values[place] = 7;
      values.fill(-3, width, 2 * width);
      values.fill(-5, 2 * width, 3 * width);
      values[3 * width - 1] = -4;
      values[3 * width] = 9;
      for (const place of [31, 4096]) values[4 * width + place] = 8;
      const rows = Array.from({ length: 6 }, () => ({}));
      const actions: CaseAction[] = [
        { kind: "write", slot: x, data: values },
        { kind: "run", segment: 0, step: stepOf(program, rows) },
      ];
      return { program, actions };
    },
  };
}

function notFiniteCase(): ConformanceCase {
  return {
    name: "finds no largest value where one is NaN or the largest infinite, and puts NaN before all others",
    scale: "small",
    traits: { op: "argmax" },
    build: () => {
      const width = 1003;
      const builder = createProgramBuilder();
      const x = builder.slot("x", width);
      const [best, largest] = [builder.slot("best", 1), builder.slot("largest", 2 * 3)];
      const ops: Op[] = [
        { kind: "argmax", x, out: best },
        { kind: "top-k", x, out: largest },
      ];
      builder.segment(ops, [best, largest]);
      const program = builder.build({ maxRows: 6 });
      const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
      const values = createCaseData(8).normal(6 * width);
      // NaN first, last, everywhere; the largest of all infinite, nothing but −∞; one −∞ that is not the largest.
      values[0] = nan;
      values[2 * width - 1] = nan;
      values.fill(nan, 2 * width, 3 * width);
      values[3 * width + 700] = infinity;
      values.fill(-infinity, 4 * width, 5 * width);
      values[5 * width] = -infinity;
      const rows = Array.from({ length: 6 }, () => ({}));
      const actions: CaseAction[] = [
        { kind: "write", slot: x, data: values },
        { kind: "run", segment: 0, step: stepOf(program, rows) },
      ];
      return { program, actions };
    },
  };
}

function topKCase(): ConformanceCase {
  return {
    name: "takes the largest values in order, of ties the first, some of many and all of few",
    scale: "small",
    traits: { op: "top-k" },
    build: () => {
      const data = createCaseData(6);
      const builder = createProgramBuilder();
      const [many, few] = [builder.slot("many", 5003), builder.slot("few", 90)];
      const [some, all, three, half] = [
        builder.slot("some", 2 * 40),
        builder.slot("all", 2 * 90),
        builder.slot("three", 2 * 3),
        builder.slot("half", 2 * 45),
      ];
      const outs = [some, all, three, half];
      const ops: Op[] = [
        { kind: "top-k", x: many, out: some },
        { kind: "top-k", x: few, out: all },
        { kind: "top-k", x: many, out: three },
        { kind: "top-k", x: few, out: half },
      ];
      builder.segment(ops, outs);
      const program = builder.build({ maxRows: 4 });
      const { width } = many;
      const values = data.normal(4 * width);
      // More ties than places; all the same; nothing above zero, and zeros of both signs.
      for (let i = 0; i < 60; i++) values[(i * 83 + 17) % width] = i < 20 ? 9 : 8;
      values.fill(-3, width, 2 * width);
      for (let i = 2 * width; i < 3 * width; i++)
        values[i] = Math.min(values[i] ?? 0, i % 2 ? 0 : -0);
      const rows = Array.from({ length: 4 }, () => ({}));
      const actions: CaseAction[] = [
        { kind: "write", slot: many, data: values },
        { kind: "write", slot: few, data: data.normal(4 * few.width).map(Math.fround) },
        { kind: "run", segment: 0, step: stepOf(program, rows) },
      ];
      return { program, actions };
    },
  };
}
