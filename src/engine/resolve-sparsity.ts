/**
 * From `--sparsity` and the sidecar to what the program is built with: a method for each layer, transposed down
 * projections, and sentences for the user. Whatever must be made at load is made here, and said.
 */

import { downNormsOf, makeSigns } from "../derived-weights/derived-weights.ts";
import { downRowsOf } from "../derived-weights/down-rows.ts";
import type { Transpose } from "../derived-weights/transpose.ts";
import { downRowType, thresholdRowType } from "../derived-weights/transpose-down.ts";
import { readTensorBytes } from "../io/tensor-bytes.ts";
import type { MethodChoice } from "../model/graph.ts";
import type { LayerMasks } from "../model/layer-masks.ts";
import { refuseMixtures } from "../model/mixture.ts";
import type { Model } from "../model/model.ts";
import { blockOf, requireBlock } from "../model/weights.ts";
import type { SparsityMethod, Weight } from "../ops/op.ts";
import { chooseMethod, hasAllPredictors } from "../sparsity/method.ts";
import type { MethodName } from "../sparsity/method-names.ts";
import type { Sidecar } from "../sparsity/sidecar/sidecar.ts";
import { type CopyUse, resolveMasks } from "./masks.ts";
import type { ModelSetup } from "./model-setup.ts";
import { noRemarks, type Remarks } from "./remarks.ts";
import type { ResolvedEngineOptions } from "./resolve-options.ts";

/** What the program is built with. */
export interface ResolvedSparsity extends Remarks {
  readonly method: MethodName;
  readonly methodFor: MethodChoice;
  readonly downRows?: (layer: number) => Weight | undefined;
  readonly masksFor?: (layer: number) => LayerMasks | undefined;
}

/** A model's setup with what its program is built with. */
export interface SparseSetup extends ModelSetup {
  readonly sparsity: ResolvedSparsity;
}

/** All that sparsity depends on. */
type SparsitySetup = Pick<ModelSetup, "model" | "sidecar"> & {
  readonly options: Pick<ResolvedEngineOptions, "sparsity" | "signal">;
};

export const denseSparsity: ResolvedSparsity = {
  method: "dense",
  methodFor: () => ({ kind: "dense" }),
  ...noRemarks,
};

/** @throws UnsupportedError for a method that cannot apply; LimitError when transposed weights cannot fit. */
export async function resolveSparsity(
  setup: SparsitySetup,
  transpose: Transpose,
  copies: CopyUse = "make",
): Promise<ResolvedSparsity> {
  const { model, sidecar, options } = setup;
  const { sparsity, signal } = options;
  if (model.hyperparameters.mixture !== undefined) return sparsityOfExperts(model, sparsity);
  const { method, reason } = chooseMethod(sparsity, {
    gating: model.architecture.gating,
    activation: model.activation,
    hasPredictors: model.layers.every((layer) => blockOf(layer)?.predictor !== undefined),
    isPowerInfer: model.gguf.magic === "PWRI",
    sidecar,
    ignoresMasks: copies === "leave",
  });
  const details = sparsity === "auto" ? [`sparsity ${method}: ${reason}`] : [];
  if (method === "dense") return { ...denseSparsity, details };
  const inputs = await blockInputs(setup, { method, transpose, copies });
  const rows = await downRowsOf(model, [...model.layers.keys()], {
    sidecar,
    transpose,
    signal,
    rowType: method === "threshold" ? thresholdRowType : downRowType,
  });
  return {
    method,
    methodFor: inputs.methodFor,
    downRows: (layer) => rows.weights.get(layer),
    ...(inputs.masksFor && { masksFor: inputs.masksFor }),
    notices: inputs.notices,
    details: [...details, ...inputs.details, ...rows.details],
  };
}

/** The router says already which neurons count: of its experts all are computed. */
function sparsityOfExperts(
  model: Model,
  wanted: ResolvedEngineOptions["sparsity"],
): ResolvedSparsity {
  if (wanted !== "auto" && wanted !== "dense") {
    refuseMixtures(model, `sparsity ${wanted}`, ["auto", "dense"]);
  }
  return denseSparsity;
}

/** What the blocks of a method compute with. */
type BlockInputs = Pick<ResolvedSparsity, "methodFor" | "masksFor" | keyof Remarks>;

interface MethodWork {
  readonly transpose: Transpose;
  readonly copies: CopyUse;
}

async function blockInputs(
  setup: SparsitySetup,
  { method, ...work }: MethodWork & { readonly method: Exclude<MethodName, "dense"> },
): Promise<BlockInputs> {
  const { model, sidecar } = setup;
  switch (method) {
    case "gate":
      return { methodFor: () => ({ kind: "gate" }), ...noRemarks };
    case "mlp":
      return { methodFor: predictorChoice(model, sidecar), ...noRemarks };
    case "sign":
      return signInputs(model, sidecar);
    case "threshold":
      return thresholdInputs(setup, work);
    default:
      return method satisfies never;
  }
}

/** Predictors trained for this model come before those that its file brought. */
function predictorChoice(model: Model, sidecar: Sidecar | undefined): MethodChoice {
  const trained = hasAllPredictors(sidecar);
  return (layer, _block, residual, normed) => {
    const weights = model.layers[layer];
    const own = weights && blockOf(weights)?.predictor;
    const found = trained
      ? sidecar?.predictors[layer]
      : own && { ...own, threshold: model.sparseThreshold };
    if (found === undefined) throw new RangeError(`layer ${layer} has no predictor`);
    const { fc1, fc2, threshold } = found;
    return { kind: "mlp", input: trained ? normed : residual, fc1, fc2, threshold };
  };
}

async function signInputs(model: Model, sidecar: Sidecar | undefined): Promise<BlockInputs> {
  const methods: SparsityMethod[] = [];
  let made = 0;
  for (const [layer, weights] of model.layers.entries()) {
    const stored = sidecar?.signs[layer];
    if (stored === undefined) made++;
    const { gate, up } = requireBlock(weights);
    const signs = stored ? readTensorBytes(stored) : await makeSigns(gate ?? up.weight);
    const margin = sidecar?.sign?.margins[layer] ?? 0;
    const margins = sidecar?.signMargins?.[layer];
    const centre = sidecar?.signCentres?.[layer];
    methods.push({
      kind: "sign",
      signs,
      margin,
      ...(margins && { margins: Int32Array.from(margins) }),
      ...(centre && { centre }),
    });
  }
  const detail = `the sign bits of ${made} layers were made at load; hearth prepare keeps them in a sidecar`;
  return { methodFor: byLayer(methods), notices: [], details: made === 0 ? [] : [detail] };
}

async function thresholdInputs(
  { model, sidecar, options }: SparsitySetup,
  { transpose, copies }: MethodWork,
): Promise<BlockInputs> {
  const set = sidecar?.thresholds;
  const table = set?.tables[set.chosen];
  if (table === undefined) throw new RangeError("thresholds were judged to be there");
  if (table.score === "gate") {
    const methods = table.values.map((value) => ({ kind: "threshold-gate", value }) as const);
    return { methodFor: byLayer(methods), ...noRemarks };
  }
  const values = table.score === "input" ? table.values.map(({ output }) => output) : table.values;
  const downNorms = await downNormsOf(model, sidecar);
  const methods = downNorms.map((norms, layer) => {
    return { kind: "threshold-output", value: values[layer] ?? 0, downNorms: norms } as const;
  });
  if (table.score !== "input") return { methodFor: byLayer(methods), ...noRemarks };
  const masks = await resolveMasks(model, copies, {
    table,
    sidecar,
    transpose,
    signal: options.signal,
  });
  return { methodFor: byLayer(methods), ...masks };
}

function byLayer(methods: readonly SparsityMethod[]): MethodChoice {
  return (layer) => methods[layer] ?? { kind: "dense" };
}
