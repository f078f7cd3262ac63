/**
 * An embedding of each layer's own, which comes in behind its FFN: a row of a second table, which has a part for each
 * layer, and a projection of the token's embedding. Source: llama.cpp, src/models/gemma4.cpp, project_per_layer_inputs.
 */
import type { Op, Slot, Weight } from "../ops/op.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { matmulOp, normOp } from "./op-makers.ts";
import type { SlotTable } from "./slot-table.ts";
import type { Linear, Norm, WeightFinder } from "./weights.ts";

/** Of the model. */
export interface LayerInputsWeights {
  readonly table: Weight; // [vocabulary, layers · width]
  readonly projection: Linear; // [layers · width, dim]
  /** Of each layer's part of the projection. */
  readonly norm: Norm; // [width]
}

/** Of a layer. */
export interface LayerInputWeights {
  readonly gate: Linear; // [width, dim]
  readonly projection: Linear; // [dim, width]
  /** Of what is added to the residual. */
  readonly postNorm: Norm; // [dim]
}

/** Undefined where the model has none. */
export function findLayerInputs(
  finder: WeightFinder,
  model: {
    readonly shape: Hyperparameters;
    readonly norm: Norm["form"];
    readonly vocabulary: number;
  },
): LayerInputsWeights | undefined {
  const { dim, layers, layerInputWidth: width, normEpsilon: epsilon } = model.shape;
  if (width === undefined) return undefined;
  const shape = { rows: layers * width, columns: dim };
  const own = { form: model.norm, width, epsilon, bias: "optional" } as const;
  return {
    table: finder.matrix("per_layer_token_embd.weight", {
      rows: model.vocabulary,
      columns: layers * width,
    }),
    projection: { weight: finder.matrix("per_layer_model_proj.weight", shape) },
    norm: finder.norm("per_layer_proj_norm", own),
  };
}

/** The inputs of all layers, one behind the other. */
export function layerInputsSlot(shape: Hyperparameters, slots: SlotTable): Slot {
  return slots.slot("layer inputs", shape.layers * (shape.layerInputWidth ?? 0));
}

/**
 * (√width·table[token] + norm(projection·x/√dim))/√2, x being the token's embedding. The norm takes √dim out again, so
 * that it goes to its ε.
 */
export function layerInputsOps(
  { table, projection, norm }: LayerInputsWeights,
  place: { readonly x: Slot; readonly slots: SlotTable; readonly shape: Hyperparameters },
): readonly Op[] {
  const { x, slots, shape } = place;
  const out = layerInputsSlot(shape, slots);
  const projected = slots.slot("projection for layers", out.width);
  const scaled = { ...norm, epsilon: norm.epsilon * shape.dim };
  const scale = Math.sqrt(norm.weight.columns / 2);
  return [
    { kind: "embed", out, table, scale },
    matmulOp({ x, out: projected, into: "assign", linear: projection }),
    normOp({ x: projected, out: projected, norm: scaled, groups: shape.layers }),
    { kind: "add", x: projected, out, factor: Math.SQRT1_2 },
  ];
}

/** out = projection·(gelu(gate·x)·input of the layer); x may have output rows only. */
export function layerInputOps(
  { gate, projection }: LayerInputWeights,
  place: {
    readonly layer: number;
    readonly x: Slot;
    readonly out: Slot;
    readonly inputs: Slot;
    readonly slots: SlotTable;
  },
): readonly Op[] {
  const { layer, x, out, inputs, slots } = place;
  const width = gate.weight.rows;
  const own = slots.slot("layer input", width);
  const input = x.rows === "step" ? own : slots.slot("layer input of outputs", width, x.rows);
  const gated = slots.slot(`layer gate of ${x.rows}`, width, x.rows);
  const activation = { kind: "gelu-tanh" } as const;
  return [
    { kind: "part", x: inputs, out: own, groups: 1, first: layer * width },
    ...(input === own ? [] : [{ kind: "select", x: own, out: input } as const]),
    matmulOp({ x, out: gated, into: "assign", linear: gate }),
    { kind: "activate", gating: "gated", activation, gate: gated, up: input, out: gated },
    matmulOp({ x: gated, out, into: "assign", linear: projection }),
  ];
}
