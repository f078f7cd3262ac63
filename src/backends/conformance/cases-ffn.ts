/** Cases of feed-forward blocks: method × gating × activation, × weight type × layout of down, subsets, edges. */
import { type WeightType, weightFormat, weightTypes } from "../../core/dtype.ts";
import type { DownProjection, FfnBlock, Into, Op } from "../../ops/op.ts";
import type { CaseAction, CaseScript, ConformanceCase } from "./case.ts";
import { createCaseData } from "./case-data.ts";
import { activations, gatings, meetsAllForms, runsOf } from "./cases-rows.ts";
import { type CaseBlockShape, type CaseMethod, makeFfnBlock } from "./ffn-block.ts";
import { createProgramBuilder } from "./program-builder.ts";

const methods: readonly CaseMethod[] = [
  "dense",
  "gate",
  "mlp",
  "sign",
  "threshold-gate",
  "threshold-output",
];

const layouts: readonly DownProjection["layout"][] = ["columns", "rows"];

export function ffnCases(): readonly ConformanceCase[] {
  return [
    ...formCases(),
    ...weightTypes.flatMap(typeCases),
    ...methods.map(inPlaceCase),
    splitCase(),
    ...layouts.map(ownMarginsCase),
    ...methods.filter((method) => method !== "dense").map(nothingActiveCase),
    longPrefillCase("columns"),
    longPrefillCase("rows"),
    ...methods.map((method, turn) => normCase(method, turn % 2 === 0 ? "columns" : "rows")),
    ...layouts.map((layout, turn) => normCase(turn === 0 ? "gate" : "dense", layout)),
    ...layouts.map(manyNeuronsCase),
    longListCase(),
  ];
}

/** Forms of a block that a method applies to: "gate" needs exact zeros, "threshold-gate" a gate. */
function forms(method: CaseMethod): readonly Pick<CaseBlockShape, "gating" | "activation">[] {
  return gatings
    .flatMap((gating) => activations.map((activation) => ({ gating, activation })))
    .filter(({ gating }) => method !== "threshold-gate" || gating === "gated")
    .filter(({ gating }) => method === "dense" || gating !== "clamped")
    .filter(({ activation }) => method !== "gate" || activation.kind.includes("relu"));
}

/** Every method with every form it applies to; layout, subset and biases take turns. */
function formCases(): readonly ConformanceCase[] {
  return methods.flatMap((method) =>
    forms(method).map((form, turn) =>
      ffnCase({
        ...form,
        ...sizes("F32"),
        method,
        downLayout: turn % 2 === 0 ? "columns" : "rows",
        isSubset: turn % 3 === 1,
        hasBiases: turn % 4 === 2,
      }),
    ),
  );
}

/** Weight types with every method and layout, or each type with other ones; the forms take turns. */
function typeCases(type: WeightType): readonly ConformanceCase[] {
  return methods.flatMap((method, m) =>
    layouts.flatMap((downLayout, l) => {
      const turn = 2 * m + l + weightTypes.indexOf(type);
      if (!meetsAllForms(type) && turn % (methods.length * layouts.length) !== 0) return [];
      const possible = forms(method);
      const form = possible[(5 * turn) % possible.length] ?? {
        gating: "ungated",
        activation: relu,
      };
      const turns = { isSubset: turn % 2 === 1, hasBiases: turn % 3 === 0 };
      return ffnCase({ ...form, ...sizes(type), ...turns, method, downLayout });
    }),
  );
}

const relu = { kind: "relu" } as const;

/** Whole blocks in both directions (down as columns has a row of neurons), and no power of two where that allows. */
function sizes(type: WeightType): Pick<CaseBlockShape, "type" | "dim" | "neurons"> {
  const { blockElements } = weightFormat(type);
  if (blockElements === 1) return { type, dim: 72, neurons: 100 };
  if (blockElements === 32) return { type, dim: 96, neurons: 160 };
  return { type, dim: blockElements, neurons: blockElements };
}

function ffnCase(shape: CaseBlockShape): ConformanceCase {
  const { type, method, gating, activation, downLayout } = shape;
  const extras = [shape.isSubset ? "a subset" : "", shape.hasBiases ? "biases" : ""].filter(
    Boolean,
  );
  const having = extras.length === 0 ? "" : `, with ${extras.join(" and ")}`;
  return {
    name: `${method} runs a ${gating} ${activation.kind} block of ${type}, down as ${downLayout}${having}`,
    scale: "small",
    traits: { op: "ffn", weightType: type, method, activation: activation.kind, downLayout },
    build: () =>
      ffnScript(shape, {
        into: shape.isSubset ? "add" : "assign",
        counts: weightFormat(type).blockElements > 32 ? [1, 5, 9] : [1, 2, 5, 17],
      }),
  };
}

function ffnScript(
  shape: CaseBlockShape,
  { into, counts }: { readonly into: Into; readonly counts: readonly number[] },
): CaseScript {
  const data = createCaseData(shape.dim + shape.neurons);
  const builder = createProgramBuilder();
  const x = builder.slot("x", shape.dim);
  const residual = builder.slot("residual", shape.dim);
  const out = builder.slot("out", shape.dim);
  const block = makeFfnBlock(shape, data, residual);
  builder.segment([{ kind: "ffn", x, out, into, block }], [out]);
  const program = builder.build({ maxRows: Math.max(...counts) });
  const actions = runsOf(program, counts, (rows): readonly CaseAction[] => [
    { kind: "write", slot: x, data: data.inputs(rows, shape.dim) },
    { kind: "write", slot: residual, data: data.inputs(rows, shape.dim) },
    { kind: "write", slot: out, data: data.normal(rows * shape.dim) },
  ]);
  return { program, actions };
}

const plainShape: Omit<CaseBlockShape, "method"> = {
  ...sizes("F32"),
  gating: "gated",
  activation: relu,
  downLayout: "rows",
  isSubset: false,
  hasBiases: true,
};

function smallCase(name: string, method: CaseMethod, build: () => CaseScript): ConformanceCase {
  return { name, scale: "small", traits: { op: "ffn", weightType: "F32", method }, build };
}

/** One slot is x, out and the predictor's input: all must be read before out is written. */
function inPlaceCase(method: CaseMethod): ConformanceCase {
  return smallCase(`${method} reads its input before it adds to the same slot`, method, () => {
    const data = createCaseData(7);
    const builder = createProgramBuilder();
    const x = builder.slot("x", plainShape.dim);
    const block = makeFfnBlock({ ...plainShape, method }, data, x);
    builder.segment([{ kind: "ffn", x, out: x, into: "add", block }], [x]);
    const program = builder.build({ maxRows: 5 });
    const actions = runsOf(program, [5, 1], (rows) => [
      { kind: "write", slot: x, data: data.inputs(rows, x.width) },
    ]);
    return { program, actions };
  });
}

/** Two halves of the neurons, the down bias with the second: together the whole block. */
function splitCase(): ConformanceCase {
  return smallCase("gives a whole block from two ops with disjoint subsets", "gate", () => {
    const data = createCaseData(8);
    const builder = createProgramBuilder();
    const [x, out] = [builder.slot("x", plainShape.dim), builder.slot("out", plainShape.dim)];
    const whole = makeFfnBlock({ ...plainShape, method: "gate" }, data, x);
    const ids = Uint32Array.from({ length: whole.neurons }, (_, id) => id);
    const { downBias: _late, ...withoutBias } = whole;
    const early: FfnBlock = { ...withoutBias, subset: ids.filter((id) => id % 3 === 0) };
    const late: FfnBlock = { ...whole, subset: ids.filter((id) => id % 3 !== 0) };
    const ops: Op[] = [
      { kind: "ffn", x, out, into: "assign", block: early },
      { kind: "ffn", x, out, into: "add", block: late },
    ];
    builder.segment(ops, [out]);
    const program = builder.build({ maxRows: 5 });
    const actions = runsOf(program, [1, 5], (rows) => [
      { kind: "write", slot: x, data: data.inputs(rows, x.width) },
    ]);
    return { program, actions };
  });
}

/** "sign" about a centre, with a margin for each neuron, in a subset: each is looked up by the neuron's id. */
function ownMarginsCase(downLayout: DownProjection["layout"]): ConformanceCase {
  const name = `sign takes x about its centre and each neuron's own margin, down as ${downLayout}`;
  return smallCase(name, "sign", () => {
    const data = createCaseData(11);
    const builder = createProgramBuilder();
    const [x, out] = [builder.slot("x", plainShape.dim), builder.slot("out", plainShape.dim)];
    const shape = { ...plainShape, method: "sign", downLayout, isSubset: true } as const;
    const block = makeFfnBlock(shape, data, x);
    if (block.method.kind !== "sign") throw new RangeError("a sign block was asked for");
    const margins = Int32Array.from({ length: block.neurons }, (_, id) => 4 * ((id % 5) - 2));
    const method = { ...block.method, margins, centre: data.normal(block.dim, 0.3) };
    builder.segment([{ kind: "ffn", x, out, into: "assign", block: { ...block, method } }], [out]);
    const program = builder.build({ maxRows: 20 });
    const actions = runsOf(program, [1, 5, 20], (rows) => [
      { kind: "write", slot: x, data: data.inputs(rows, x.width) },
    ]);
    return { program, actions };
  });
}

/** An empty active set: the down bias alone is left, added to what stands there or in its place. */
function nothingActiveCase(method: CaseMethod): ConformanceCase {
  return smallCase(`${method} leaves the bias alone when no neuron is active`, method, () => {
    const data = createCaseData(9);
    const builder = createProgramBuilder();
    const x = builder.slot("x", plainShape.dim);
    const outs = [builder.slot("assigned", x.width), builder.slot("added", x.width)];
    const block = silence(makeFfnBlock({ ...plainShape, method }, data, x));
    const ops = outs.map(
      (out, i): Op => ({ kind: "ffn", x, out, into: i === 0 ? "assign" : "add", block }),
    );
    builder.segment(ops, outs);
    const program = builder.build({ maxRows: 5 });
    const actions = runsOf(program, [1, 5], (rows) => [
      { kind: "write", slot: x, data: data.inputs(rows, x.width) },
      ...outs.map(
        (slot): CaseAction => ({ kind: "write", slot, data: data.normal(rows * x.width) }),
      ),
    ]);
    return { program, actions };
  });
}

/** The same block with a threshold that no score reaches; for "gate" an activation that none does. */
function silence(block: FfnBlock): FfnBlock {
  const { method } = block;
  switch (method.kind) {
    case "dense":
    case "gate":
      return { ...block, activation: { kind: "fatrelu", threshold: 100 } };
    case "mlp":
      return { ...block, method: { ...method, threshold: 100 } };
    case "sign":
      return { ...block, method: { ...method, margin: block.dim + 1 } };
    case "threshold-gate":
    case "threshold-output":
      return { ...block, method: { ...method, value: 1000 } };
    case "given":
      throw new RangeError("a given set is silenced where it is made");
    default:
      return method satisfies never;
  }
}

/** So many rows that a backend may leave its sparse path for its matrix path. */
function longPrefillCase(downLayout: DownProjection["layout"]): ConformanceCase {
  const shape: CaseBlockShape = { ...plainShape, type: "F16", downLayout, method: "gate" };
  return {
    name: `gate gives the same for 128 rows at once, down as ${downLayout}`,
    scale: "large",
    traits: { op: "ffn", weightType: "F16", method: "gate", downLayout },
    build: () => ffnScript(shape, { into: "assign", counts: [128, 33] }),
  };
}

/** Dozens of active neurons, in more than one group of a list, whose squares must all be counted, and the others' not. */
function normCase(method: CaseMethod, downLayout: DownProjection["layout"]): ConformanceCase {
  const name = `${method} norms the active neurons before down as ${downLayout}`;
  const activation = { kind: method === "gate" ? "relu2" : "silu" } as const;
  const shape = { ...plainShape, activation, method, downLayout, neurons: 300, hasNorm: true };
  return smallCase(name, method, () => ffnScript(shape, { into: "add", counts: [1, 3, 20] }));
}

/** So many neurons that a backend may cut the active list, or the sum over it, into parts. */
function manyNeuronsCase(downLayout: DownProjection["layout"]): ConformanceCase {
  const sizes = { type: "F16", dim: 64, neurons: 2300 } as const;
  const shape: CaseBlockShape = { ...plainShape, ...sizes, downLayout, method: "threshold-output" };
  return {
    name: `threshold-output joins the parts of 2300 neurons, down as ${downLayout}`,
    scale: "small",
    traits: { op: "ffn", weightType: "F16", method: "threshold-output", downLayout },
    build: () => ffnScript(shape, { into: "add", counts: [1, 3, 9, 40] }),
  };
}

/** As many neurons as the blocks of 70B models have, in rows of eight columns. */
function longListCase(): ConformanceCase {
  const sizes = { type: "F32", dim: 8, neurons: 30_000 } as const;
  const name = "gate finds the active ones of 30000 neurons, for one row and for several";
  const script = (): CaseScript =>
    ffnScript({ ...plainShape, ...sizes, method: "gate" }, { into: "assign", counts: [1, 3, 17] });
  const long = smallCase(name, "gate", script);
  return { ...long, traits: { ...long.traits, terms: sizes.neurons } };
}
