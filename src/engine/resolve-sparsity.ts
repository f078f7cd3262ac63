/**
 * From `--sparsity` and the sidecar to what the program is built with: a method for each layer, transposed down
 * projections, and sentences for the user. Whatever must be made at load is made here, and said.
 */

import type { Backend } from "../backends/backend.ts";
import { rowBytes } from "../core/dtype.ts";
import { LimitError } from "../core/errors.ts";
import { type Bytes, formatBytes } from "../core/units.ts";
import { downRowNorms, makeSigns } from "../derived-weights/derived-weights.ts";
import {
  type DownRowType,
  downRowType,
  thresholdRowType,
} from "../derived-weights/transpose-down.ts";
import { readTensorBytes } from "../io/tensor-bytes.ts";
import type { LayerMasks, MethodChoice } from "../model/graph.ts";
import type { Model } from "../model/model.ts";
import type { SparsityMethod, Weight } from "../ops/op.ts";
import { chooseMethod, hasAllPredictors, type Sparsity } from "../sparsity/method.ts";
import type { MethodName } from "../sparsity/method-names.ts";
import { findSidecar, openSidecar } from "../sparsity/sidecar/read.ts";
import { type Sidecar, type SidecarModel, sidecarPathOf } from "../sparsity/sidecar/sidecar.ts";
import { type CopyUse, resolveMasks } from "./masks.ts";

/** What the program is built with. */
export interface ResolvedSparsity {
  readonly method: MethodName;
  readonly methodFor: MethodChoice;
  readonly downRows?: (layer: number) => Weight | undefined;
  readonly masksFor?: (layer: number) => LayerMasks | undefined;
  /** Which method and why, where it was not dictated, and what had to be made. */
  readonly notices: readonly string[];
}

export interface SparsityRequest {
  readonly sparsity: Sparsity;
  readonly sidecar: Sidecar | undefined;
  /** Of matrices, where inputs are masked. Default "make". */
  readonly copies?: CopyUse;
  readonly signal?: AbortSignal;
}

/** What a sidecar of this model must fit. */
export function sidecarModelOf(model: Model): SidecarModel {
  const { dim, neurons, heads, kvHeads, headDim } = model.hyperparameters;
  const attention = { queries: heads * headDim, keys: kvHeads * headDim };
  return { fingerprint: model.gguf.fingerprint(), dim, neurons, attention };
}

/** The sidecar that was named, or the one beside the model if there is one. @throws FileFormatError for another model's. */
export function sidecarOf(model: Model, named: string | undefined): Sidecar | undefined {
  const shape = sidecarModelOf(model);
  return named === undefined
    ? findSidecar(sidecarPathOf(model.gguf.path), shape)
    : openSidecar(named, shape);
}

/** By layer, norms of the down rows: the sidecar's, else made from the weights. */
export async function downNormsOf(
  model: Model,
  sidecar: Sidecar | undefined,
): Promise<readonly Float32Array[]> {
  if (sidecar?.downNorms !== undefined) return sidecar.downNorms;
  const norms: Float32Array[] = [];
  for (const { ffn } of model.layers) norms.push(await downRowNorms(ffn.down));
  return norms;
}

/** @throws UnsupportedError for a method that cannot apply; LimitError when transposed weights cannot fit. */
export async function resolveSparsity(
  model: Model,
  backend: Backend,
  request: SparsityRequest,
): Promise<ResolvedSparsity> {
  const { sparsity, sidecar, signal } = request;
  const { method, reason } = chooseMethod(sparsity, {
    gating: model.architecture.gating,
    activation: model.activation,
    hasPredictors: model.layers.every(({ ffn }) => ffn.predictor !== undefined),
    isPowerInfer: model.gguf.magic === "PWRI",
    sidecar,
    readsMaskedInputs: request.copies === "leave",
  });
  const notices = sparsity === "auto" ? [`sparsity ${method}: ${reason}`] : [];
  if (method === "dense") return { method, methodFor: () => ({ kind: "dense" }), notices };
  const makers = await createMakers(model, { ...request, backend, method });
  const rowType = method === "threshold" ? thresholdRowType : downRowType;
  const rows = await downRowsOf(model, backend, { sidecar, signal, rowType });
  return {
    method,
    methodFor: makers.methodFor,
    downRows: (layer) => rows.weights[layer],
    ...(makers.masksFor && { masksFor: makers.masksFor }),
    notices: [...notices, ...makers.notices, ...rows.notices],
  };
}

interface Makers extends Pick<ResolvedSparsity, "masksFor"> {
  readonly methodFor: MethodChoice;
  readonly notices: readonly string[];
}

async function createMakers(
  model: Model,
  choice: Omit<SparsityRequest, "sparsity"> & {
    readonly method: Exclude<MethodName, "dense">;
    readonly backend: Backend;
  },
): Promise<Makers> {
  const { method, sidecar } = choice;
  switch (method) {
    case "gate":
      return { methodFor: () => ({ kind: "gate" }), notices: [] };
    case "mlp":
      return { methodFor: predictorChoice(model, sidecar), notices: [] };
    case "sign":
      return signMakers(model, sidecar);
    case "threshold":
      return thresholdMakers(model, choice);
    default:
      return method satisfies never;
  }
}

/** Predictors trained for this model come before those that its file brought. */
function predictorChoice(model: Model, sidecar: Sidecar | undefined): MethodChoice {
  const trained = hasAllPredictors(sidecar);
  return (layer, _block, residual, normed) => {
    const own = model.layers[layer]?.ffn.predictor;
    const found = trained
      ? sidecar?.predictors[layer]
      : own && { ...own, threshold: model.sparseThreshold };
    if (found === undefined) throw new RangeError(`layer ${layer} has no predictor`);
    const { fc1, fc2, threshold } = found;
    return { kind: "mlp", input: trained ? normed : residual, fc1, fc2, threshold };
  };
}

async function signMakers(model: Model, sidecar: Sidecar | undefined): Promise<Makers> {
  const methods: SparsityMethod[] = [];
  let made = 0;
  for (const [layer, { ffn }] of model.layers.entries()) {
    const stored = sidecar?.signs[layer];
    if (stored === undefined) made++;
    const signs = stored ? readTensorBytes(stored) : await makeSigns(ffn.gate ?? ffn.up.weight);
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
  const notice = `the sign bits of ${made} layers were made at load; hearth prepare keeps them in a sidecar`;
  return { methodFor: byLayer(methods), notices: made === 0 ? [] : [notice] };
}

async function thresholdMakers(
  model: Model,
  from: Pick<SparsityRequest, "sidecar" | "copies" | "signal"> & { readonly backend: Backend },
): Promise<Makers> {
  const { sidecar, backend, copies = "make", signal } = from;
  const set = sidecar?.thresholds;
  const table = set?.tables[set.chosen];
  if (table === undefined) throw new RangeError("thresholds were judged to be there");
  if (table.score === "gate") {
    const methods = table.values.map((value) => ({ kind: "threshold-gate", value }) as const);
    return { methodFor: byLayer(methods), notices: [] };
  }
  const values = table.score === "input" ? table.values.map(({ output }) => output) : table.values;
  const downNorms = await downNormsOf(model, sidecar);
  const methods = downNorms.map((norms, layer) => {
    return { kind: "threshold-output", value: values[layer] ?? 0, downNorms: norms } as const;
  });
  if (table.score !== "input") return { methodFor: byLayer(methods), notices: [] };
  const masks = await resolveMasks(model, backend, { table, sidecar, copies, signal });
  return { methodFor: byLayer(methods), ...masks };
}

function byLayer(methods: readonly SparsityMethod[]): MethodChoice {
  return (layer) => methods[layer] ?? { kind: "dense" };
}

/** Down projections as rows: from the file, from the sidecar, or transposed now. */
async function downRowsOf(
  model: Model,
  backend: Backend,
  from: {
    readonly sidecar: Sidecar | undefined;
    readonly signal: AbortSignal | undefined;
    readonly rowType: (down: Weight) => DownRowType;
  },
): Promise<{
  readonly weights: readonly (Weight | undefined)[];
  readonly notices: readonly string[];
}> {
  const missing = model.layers.map(
    ({ ffn }, layer) =>
      ffn.down.layout === "columns" && from.sidecar?.downRows[layer] === undefined,
  );
  const { rowType } = from;
  const toMake = model.layers.flatMap(({ ffn }, layer) => (missing[layer] ? ffn.down.weight : []));
  const bytes = toMake.reduce(
    (sum, weight) => sum + weight.columns * rowBytes(rowType(weight), weight.rows),
    0,
  );
  checkMemory(bytes);
  const startedAt = performance.now();
  const weights: (Weight | undefined)[] = [];
  for (const [layer, { ffn }] of model.layers.entries()) {
    from.signal?.throwIfAborted();
    const { weight } = ffn.down;
    if (missing[layer]) weights.push(await backend.transpose(weight, rowType(weight)));
    else weights.push(ffn.down.layout === "columns" ? from.sidecar?.downRows[layer] : undefined);
  }
  if (toMake.length === 0) return { weights, notices: [] };
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const types = [...new Set(toMake.map(rowType))].join(" and ");
  const notice = `the down projections of ${toMake.length} layers were transposed at load (${formatBytes(bytes)} of ${types}, ${seconds} s); hearth prepare keeps them in a sidecar that is mapped instead`;
  return { weights, notices: [notice] };
}

function checkMemory(bytes: Bytes): void {
  const free = process.availableMemory();
  if (bytes <= free) return;
  throw new LimitError(
    `transposed down projections take ${formatBytes(bytes)} and ${formatBytes(free)} of memory are free; run hearth prepare once, or use sparsity dense`,
  );
}
