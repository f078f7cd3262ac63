/**
 * A layer taken apart so that the host can read what its matrices multiply and what its neurons do: for profiles,
 * training and calibration. It computes what the layer as a whole computes, densely.
 */
import { UnsupportedError } from "../core/errors.ts";
import type { Activation, FfnBlock, Gating, Op, OpOf, Slot } from "../ops/op.ts";
import type { ModelLayer } from "./model-layer.ts";
import { matmulOp, normOp } from "./op-makers.ts";
import type { SlotTable } from "./slot-table.ts";

/** What an exposed layer puts on the host, [rows of the step, width] each. */
export interface ExposedLayer {
  readonly layer: number;
  /** What PowerInfer's predictors read: the residual before the block's norm (falcon: the layer's input). */
  readonly input: Slot; // width dim
  /** After the norm: what gate and up multiply. */
  readonly normed: Slot; // width dim
  /** Gate with its bias, before its activation; absent in ungated blocks. */
  readonly gate?: Slot; // width neurons
  /** After the activation, dense. */
  readonly h: Slot; // width neurons
  /** What q, k and v multiply. */
  readonly attentionInput: Slot; // width dim
  /** What the output projection multiplies. */
  readonly attentionOutput: Slot; // width heads · valueWidth
}

/**
 * The FFN as separate ops around a slot that keeps h. A down projection of transposed rows cannot be a matmul: there the
 * whole block runs besides, dense, for the output.
 */
export function exposeLayer(
  layer: ModelLayer,
  table: SlotTable,
): { readonly ops: readonly Op[]; readonly slots: ExposedLayer } {
  const { ffn, index, predictorInput } = layer;
  if (ffn === undefined || predictorInput === undefined) {
    throw new UnsupportedError(`activations of layer ${index}, a mixture of experts`, ["blocks"]);
  }
  const { block, x, out } = ffn;
  const input = table.slot(`ffn input ${index}`, predictorInput.width);
  const normed = table.slot(`ffn normed ${index}`, x.width);
  const h = table.slot(`h ${index}`, block.neurons);
  const gate = block.gate && table.slot(`gate ${index}`, block.neurons);
  const { input: q, output: mixed } = layer.attention;
  const attentionInput = table.slot(`attention input ${index}`, q.width);
  const attentionOutput = table.slot(`attention output ${index}`, mixed.width);
  const ops: Op[] = [
    ...layer.before,
    { kind: "copy", x: predictorInput, out: input },
    { kind: "copy", x, out: normed },
    ...activationOps({ block, x, ...(gate && { gate }), h, table }),
  ];
  if (block.down.layout === "columns") {
    const { weight } = block.down;
    const linear = { weight, ...(block.downBias && { bias: block.downBias }) };
    const normed = hiddenNormOp(block, h, table);
    if (normed !== undefined) ops.push(normed);
    ops.push(matmulOp({ x: normed?.out ?? h, out, into: ffn.into, linear }));
  } else {
    ops.push({ ...ffn, block: { ...block, method: { kind: "dense" } } });
  }
  ops.push(...layer.after);
  const inputs = [
    [q, attentionInput],
    [mixed, attentionOutput],
  ] as const;
  const shown = { input, normed, ...(gate && { gate }), h, attentionInput, attentionOutput };
  return { ops: inputs.reduce(withCopy, ops), slots: { layer: index, ...shown } };
}

/** The norm before down, beside h, which is shown as it is before. */
function hiddenNormOp(
  { hiddenNorm, neurons }: FfnBlock,
  h: Slot,
  table: SlotTable,
): OpOf<"norm"> | undefined {
  if (hiddenNorm === undefined) return undefined;
  const out = table.slot(`normed of ${neurons}`, neurons);
  return normOp({ x: h, out, norm: { form: "rms", ...hiddenNorm }, groups: 1 });
}

/** x is copied where the first product reads it. */
function withCopy(ops: readonly Op[], [x, out]: readonly [Slot, Slot]): Op[] {
  const at = ops.findIndex((op) => op.kind === "matmul" && op.x === x);
  return ops.toSpliced(at, 0, { kind: "copy", x, out });
}

function activationOps(parts: {
  readonly block: FfnBlock;
  readonly x: Slot;
  readonly gate?: Slot;
  readonly h: Slot;
  readonly table: SlotTable;
}): readonly Op[] {
  const { block, x, gate, h, table } = parts;
  const { gating, activation, gate: gateWeight } = block;
  const up = table.slot(`up of ${block.neurons}`, block.neurons);
  const upLinear = { weight: block.up, ...(block.upBias && { bias: block.upBias }) };
  const upOp = matmulOp({ x, out: up, into: "assign", linear: upLinear });
  if (gateWeight === undefined || gate === undefined) {
    return [upOp, activateOp({ gating, activation, up, out: h })];
  }
  const gateLinear = { weight: gateWeight, ...(block.gateBias && { bias: block.gateBias }) };
  const gateOp = matmulOp({ x, out: gate, into: "assign", linear: gateLinear });
  return [gateOp, upOp, activateOp({ gating, activation, gate, up, out: h })];
}

function activateOp(parts: {
  readonly gating: Gating;
  readonly activation: Activation;
  readonly gate?: Slot;
  readonly up: Slot;
  readonly out: Slot;
}): Op {
  return { kind: "activate", ...parts };
}
