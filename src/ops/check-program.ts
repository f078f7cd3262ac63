/**
 * Shapes of a program, judged once before it runs: every slot, weight and method an op names fits the op.
 * Values of a step (tokens, positions, sequences) are not judged here: the caller owns them.
 */
import { ShapeError } from "../core/errors.ts";
import { blockRequirements } from "./check-ffn.ts";
import type { Op, Slot, Weight } from "./op.ts";
import type { KvShape, Program } from "./program.ts";
import { opsOf } from "./program-ops.ts";
import { isMatrix, isVector, type Requirement, requires } from "./requirement.ts";

type Named<Kind extends Op["kind"]> = Extract<Op, { kind: Kind }>;

/** @throws ShapeError naming the op, what fits and what was found. */
export function checkProgram(program: Program): void {
  program.slots.forEach((slot, index) => {
    judge("slot", [requires(slot.id === index, `id ${index} for ${slot.name}`, slot.id)]);
  });
  const known = new Set(program.slots);
  for (const op of opsOf(program)) {
    for (const slot of slotsOf(op))
      judge(op.kind, [requires(known.has(slot), "a slot of it", slot.name)]);
    judge(op.kind, requirementsOf(op, program.kv));
  }
}

function judge(op: string, requirements: readonly Requirement[]): void {
  const unmet = requirements.find((candidate) => !candidate.isMet);
  if (unmet !== undefined) throw new ShapeError(op, unmet.expected, unmet.found);
}

function slotsOf(op: Op): readonly Slot[] {
  switch (op.kind) {
    case "embed":
      return [op.out];
    case "rope":
      return [op.x];
    case "store-kv":
      return [op.k, op.v];
    case "attention":
      return [op.q, op.out];
    case "activate":
      return op.gate === undefined ? [op.up, op.out] : [op.gate, op.up, op.out];
    case "ffn":
      return op.block.method.kind === "mlp"
        ? [op.x, op.out, op.block.method.input]
        : [op.x, op.out];
    case "norm":
    case "matmul":
    case "mask":
    case "add":
    case "copy":
    case "select":
    case "argmax":
    case "top-k":
      return [op.x, op.out];
    default:
      return op satisfies never;
  }
}

function requirementsOf(op: Op, kv: KvShape): readonly Requirement[] {
  switch (op.kind) {
    case "embed":
      return embedRequirements(op);
    case "norm":
      return normRequirements(op);
    case "matmul":
      return matmulRequirements(op);
    case "rope":
      return ropeRequirements(op);
    case "store-kv":
      return storeRequirements(op, kv);
    case "attention":
      return attentionRequirements(op, kv);
    case "activate":
      return activateRequirements(op);
    case "ffn":
      return ffnRequirements(op);
    case "mask":
      return maskRequirements(op);
    case "select":
      return selectRequirements(op);
    case "argmax":
      return [
        requires(op.out.width === 1, "an out of width 1", op.out.width),
        hasRowsOf(op.x, op.out),
      ];
    case "top-k":
      return topKRequirements(op);
    case "add":
    case "copy":
      return isLike(op.x, op.out);
    default:
      return op satisfies never;
  }
}

function embedRequirements(op: Named<"embed">): readonly Requirement[] {
  const isWide = (weight: Weight): Requirement =>
    requires(
      weight.columns === op.out.width,
      `${weight.name} of ${op.out.width} columns`,
      weight.columns,
    );
  const { positions } = op;
  return positions === undefined
    ? [isWide(op.table)]
    : [isWide(op.table), isWide(positions.weight)];
}

function normRequirements(op: Named<"norm">): readonly Requirement[] {
  const size = op.x.width / op.groups;
  return [
    requires(Number.isInteger(size), `a width of ${op.groups} equal groups`, op.x.width),
    isVector(op.weight, size),
    isVector(op.bias, size),
    ...isLike(op.x, op.out),
  ];
}

function matmulRequirements(op: Named<"matmul">): readonly Requirement[] {
  const { x, out, weight, bias, channels } = op;
  return [
    isMatrix(weight, [out.width, x.width]),
    ...(channels === undefined ? [] : [isMatrix(channels, [x.width, out.width])]),
    isVector(bias, out.width),
    requires(x.id !== out.id, "out to be another slot than x", out.name),
    hasRowsOf(x, out),
  ];
}

function ropeRequirements(op: Named<"rope">): readonly Requirement[] {
  const headDim = op.x.width / op.heads;
  const rotated = 2 * op.frequencies.length;
  return [
    requires(Number.isInteger(headDim), `a width of ${op.heads} equal heads`, op.x.width),
    requires(rotated <= headDim, `at most ${headDim} rotated elements`, rotated),
    requires(op.x.rows === "step", "x with the rows of the step", op.x.rows),
  ];
}

function storeRequirements(op: Named<"store-kv">, kv: KvShape): readonly Requirement[] {
  return [
    hasLayer(op.layer, kv),
    requires(op.k.width === kv.kvHeads * kv.headDim, "k as wide as the cache", op.k.width),
    ...isLike(op.k, op.v),
  ];
}

function attentionRequirements(op: Named<"attention">, kv: KvShape): readonly Requirement[] {
  return [
    hasLayer(op.layer, kv),
    requires(op.heads % kv.kvHeads === 0, `a multiple of ${kv.kvHeads} heads`, op.heads),
    requires(op.q.width === op.heads * kv.headDim, "q as wide as its heads", op.q.width),
    ...isLike(op.q, op.out),
  ];
}

function activateRequirements(op: Named<"activate">): readonly Requirement[] {
  const hasGateIffGated = (op.gate === undefined) === (op.gating === "ungated");
  return [
    requires(hasGateIffGated, "a gate iff gated", op.gating),
    ...isLike(op.gate ?? op.up, op.out),
    ...isLike(op.up, op.out),
  ];
}

function ffnRequirements(op: Named<"ffn">): readonly Requirement[] {
  return [
    requires(op.x.width === op.block.dim, `x of width ${op.block.dim}`, op.x.width),
    ...isLike(op.x, op.out),
    ...blockRequirements(op.block),
  ];
}

function maskRequirements({ x, out, value, norms }: Named<"mask">): readonly Requirement[] {
  const length = norms?.length ?? x.width;
  return [
    requires(value >= 0, "a value of at least 0", value),
    requires(length === x.width, `${x.width} norms`, length),
    ...isLike(x, out),
  ];
}

function selectRequirements({ x, out }: Named<"select">): readonly Requirement[] {
  return [
    requires(x.rows === "step", "x with the rows of the step", x.rows),
    requires(out.rows === "outputs", "out with the output rows", out.rows),
    requires(x.width === out.width, `width ${x.width}`, out.width),
  ];
}

function topKRequirements({ x, out }: Named<"top-k">): readonly Requirement[] {
  return [
    requires(out.width % 2 === 0, "an out of pairs", out.width),
    requires(out.width <= 2 * x.width, `an out of at most ${x.width} pairs`, out.width),
    hasRowsOf(x, out),
  ];
}

function hasRowsOf(x: Slot, out: Slot): Requirement {
  return requires(x.rows === out.rows, `out with rows as x, ${x.rows}`, out.rows);
}

function isLike(x: Slot, out: Slot): readonly Requirement[] {
  return [
    hasRowsOf(x, out),
    requires(x.width === out.width, `${out.name} of width ${x.width}`, out.width),
  ];
}

function hasLayer(layer: number, kv: KvShape): Requirement {
  return requires(layer >= 0 && layer < kv.layers, `a layer below ${kv.layers}`, layer);
}
