/**
 * From a model to a program: ops and slots for given limits, which any backend can compile. `buildParts` gives the
 * layers one by one, for several devices; `buildProgram` strings them together for one.
 */
import { checkValue, countRule } from "../core/check-options.ts";
import { OptionError } from "../core/errors.ts";
import type { KvShape } from "../ops/kv-shape.ts";
import type { Op, Slot, Weight } from "../ops/op.ts";
import type { OpRange, Program, Segment } from "../ops/program.ts";
import { type CacheLimits, cacheShape } from "./cache-shape.ts";
import { type ExposedLayer, exposeLayer } from "./expose.ts";
import { type ExposedRoutes, exposeRoutes } from "./expose-routes.ts";
import { type GraphContext, LayerGraph, type MethodChoice } from "./graph.ts";
import { layerInputsOps } from "./layer-inputs.ts";
import type { LayerMasks } from "./layer-masks.ts";
import type { Model } from "./model.ts";
import type { ModelLayer } from "./model-layer.ts";
import { matmulOp, normOp } from "./op-makers.ts";
import { ropeTables } from "./rope-tables.ts";
import { SlotTable } from "./slot-table.ts";
import { blockOf, type Linear } from "./weights.ts";

export interface ProgramOptions extends CacheLimits {
  readonly maxOutputs: number;
  /**
   * "logits": of the rows that want an output. "argmax": only their best token. "none": profiling.
   * "choice": logits stay on the device; segments behind the model read them, or the largest, or the best token.
   */
  readonly output: "logits" | "argmax" | "choice" | "none";
  /** Default: the file's predictors in a PowerInfer file, dense in any other. */
  readonly methodFor?: MethodChoice;
  /** A transposed down projection [neurons, dim] for this layer, in place of the file's. */
  readonly downRows?: (layer: number) => Weight | undefined;
  /** Inputs that are left out where they are small. Default: none. */
  readonly masksFor?: (layer: number) => LayerMasks | undefined;
  /**
   * "output rows": behind the last attention only rows that want an output are computed, which saves a prefill
   * most of a layer; the last FFN then counts those rows. Default "all rows". Not with an exposed last layer.
   */
  readonly lastLayer?: "all rows" | "output rows";
  /** Layers that are taken apart so that their activations can be read; see ExposedLayer. Default: none. */
  readonly exposed?: readonly number[];
  /** What routers choose is shown, see ExposedRoutes. Default: it is not. */
  readonly showsRoutes?: boolean;
  /** A last segment gives out what every row is behind the last norm, see ModelSlots.rows. Default: there is none. */
  readonly showsRows?: boolean;
}

export interface ModelSlots {
  /** Final rows after the last norm, [outputs, dim]; absent when the output is "none". */
  readonly hidden?: Slot;
  /** All rows after the last norm, of which embeddings are made: [rows of the step, dim]. */
  readonly rows?: Slot;
  readonly logits?: Slot; // [outputs, vocabulary]
  readonly argmax?: Slot; // [outputs, 1]
  readonly topK?: Slot; // [outputs, 2·k]: (id, logit) pairs of the k largest logits
  readonly exposed: readonly ExposedLayer[];
  readonly routes: readonly ExposedRoutes[];
}

export interface ModelParts {
  /** Grows when somebody asks for more slots; read `slots.slots` last. */
  readonly slots: SlotTable;
  /** The residual stream, which every layer reads and adds to (the last perhaps its output rows only). */
  readonly residual: Slot;
  readonly kv: KvShape;
  readonly embed: readonly Op[];
  readonly layers: readonly ModelLayer[];
  readonly output: readonly Op[];
  readonly rows?: Segment;
  readonly hidden?: Slot;
  readonly logits?: Slot;
  readonly argmax?: Slot;
  readonly topK?: Slot;
}

/** Samplers seldom keep more (the default is 40), and it is 1 KiB to read back. */
const maxLargest = 128;

export interface ModelProgram {
  readonly program: Program;
  readonly slots: ModelSlots;
}

/** One segment, whose outputs are the logits or best tokens, then what exposed layers show; with "choice" three to read by. */
export function buildProgram(model: Model, options: ProgramOptions): ModelProgram {
  const parts = buildParts(model, options);
  const exposedLayers = new Set(options.exposed ?? []);
  const exposed: ExposedLayer[] = [];
  const routes: ExposedRoutes[] = [];
  const ops: Op[] = [...parts.embed];
  const layers: OpRange[] = [];
  for (const layer of parts.layers) {
    const first = ops.length;
    if (exposedLayers.has(layer.index)) {
      const shown = exposeLayer(layer, parts.slots);
      exposed.push(shown.slots);
      ops.push(...shown.ops);
    } else {
      const plain = layerOps(layer);
      const routed = options.showsRoutes && exposeRoutes(plain, layer.index, parts.slots);
      ops.push(...(routed ? routed.ops : plain));
      if (routed) routes.push(routed.exposed);
    }
    layers.push({ first, end: ops.length });
  }
  ops.push(...parts.output);
  const { hidden, logits, argmax, topK } = parts;
  const shown = exposed.flatMap((layer) => [
    layer.input,
    layer.normed,
    layer.gate,
    layer.h,
    layer.attentionInput,
    layer.attentionOutput,
  ]);
  const isChoice = options.output === "choice";
  const choices = routes.map((layer) => layer.routes);
  const outputs = [isChoice ? undefined : (logits ?? argmax), ...shown, ...choices];
  const present = outputs.filter((slot) => slot !== undefined);
  const segments: Segment[] = [{ name: "model", ops, outputs: present, layers }];
  if (logits && argmax && topK) segments.push(...readSegments({ logits, argmax, topK }));
  if (parts.rows) segments.push(parts.rows);
  const [rows] = parts.rows?.outputs ?? [];
  return {
    program: {
      slots: parts.slots.slots,
      kv: parts.kv,
      segments,
      maxRows: options.maxRows,
      maxOutputs: options.maxOutputs,
    },
    slots: {
      ...(hidden && { hidden }),
      ...(rows && { rows }),
      ...(logits && { logits }),
      ...(argmax && { argmax }),
      ...(topK && { topK }),
      exposed,
      routes,
    },
  };
}

/** What reads the result of the model: one of them is run behind it. */
function readSegments({
  logits,
  argmax,
  topK,
}: Required<Pick<ModelSlots, "logits" | "argmax" | "topK">>): readonly Segment[] {
  return [
    { name: "read logits", ops: [], outputs: [logits] },
    { name: "read best", ops: [{ kind: "argmax", x: logits, out: argmax }], outputs: [argmax] },
    { name: "read largest", ops: [{ kind: "top-k", x: logits, out: topK }], outputs: [topK] },
  ];
}

export function buildParts(model: Model, options: ProgramOptions): ModelParts {
  checkOptions(model, options);
  const slots = new SlotTable();
  const { hyperparameters: shape, architecture } = model;
  const residual = slots.slot("residual", shape.dim);
  const context = graphContext(model, { slots, options });
  let stream = residual;
  const layers = model.layers.map((weights, index) => {
    const graph = new LayerGraph(index, context);
    stream = architecture.layer(graph, stream, weights);
    return graph.finish();
  });
  return {
    slots,
    residual,
    kv: cacheShape(model.hyperparameters, options),
    embed: embedOps(model, { residual, slots }),
    layers,
    ...outputPart(model, { residual: stream, slots, output: options.output }),
    ...(options.showsRows && { rows: rowsSegment(model, stream, slots) }),
  };
}

/** All ops of a layer in order. */
export function layerOps(layer: ModelLayer): readonly Op[] {
  return [...layer.before, ...(layer.ffn ? [layer.ffn] : []), ...layer.after];
}

/** PowerInfer's own method, where the file has predictors; else dense. */
export function predictorMethod(model: Model): MethodChoice {
  return (layer, _block, input) => {
    const weights = model.layers[layer];
    const predictor = weights && blockOf(weights)?.predictor;
    if (predictor === undefined) return { kind: "dense" };
    return { kind: "mlp", input, ...predictor, threshold: model.sparseThreshold };
  };
}

function graphContext(
  model: Model,
  source: { readonly slots: SlotTable; readonly options: ProgramOptions },
): GraphContext {
  const { slots, options } = source;
  const { positions } = model.architecture;
  const fileMethod: MethodChoice =
    model.gguf.magic === "PWRI" ? predictorMethod(model) : () => ({ kind: "dense" });
  return {
    shape: model.hyperparameters,
    slots,
    ropeOf: ropeTables(model, options.contextLength),
    pairing: positions.kind === "rope" ? positions.pairing : "halves",
    contextLength: options.contextLength,
    methodFor: options.methodFor ?? fileMethod,
    ...(options.downRows && { downRows: options.downRows }),
    ...(options.masksFor && { masksFor: options.masksFor }),
    ...(options.lastLayer === "output rows" && { selectIn: model.layers.length - 1 }),
  };
}

function embedOps(
  model: Model,
  { residual, slots }: { readonly residual: Slot; readonly slots: SlotTable },
): readonly Op[] {
  const { layerInputs, hyperparameters: shape } = model;
  const ofLayers = layerInputs ? layerInputsOps(layerInputs, { x: residual, slots, shape }) : [];
  return [embedOp(model, residual), ...ofLayers];
}

function embedOp(model: Model, out: Slot): Op {
  const { embedding: table, positions: weight, architecture, hyperparameters } = model;
  const { positions } = architecture;
  const { embedding: scale } = hyperparameters.scales;
  if (positions.kind === "learned" && weight !== undefined) {
    const { offset } = positions;
    return { kind: "embed", out, table, positions: { weight, offset }, scale };
  }
  return { kind: "embed", out, table, scale };
}

function outputPart(
  model: Model,
  place: {
    readonly residual: Slot;
    readonly slots: SlotTable;
    readonly output: ProgramOptions["output"];
  },
): Pick<ModelParts, "output" | "hidden" | "logits" | "argmax" | "topK"> {
  const { residual, slots, output } = place;
  if (output === "none") return { output: [] };
  const isSelected = residual.rows === "outputs";
  const selected = isSelected ? residual : slots.slot("selected", residual.width, "outputs");
  const hidden = slots.slot("hidden", residual.width, "outputs");
  const logits = slots.slot("logits", model.vocabulary, "outputs");
  const ops: Op[] = isSelected ? [] : [{ kind: "select", x: residual, out: selected }];
  ops.push(
    normOp({ x: selected, out: hidden, norm: model.outputNorm, groups: 1 }),
    matmulOp({ x: hidden, out: logits, into: "assign", linear: outputLinear(model) }),
    ...logitOps(model, logits),
  );
  if (output === "logits") return { output: ops, hidden, logits };
  const argmax = slots.slot("argmax", 1, "outputs");
  if (output === "choice") {
    const topK = slots.slot("top-k", 2 * Math.min(maxLargest, model.vocabulary), "outputs");
    return { output: ops, hidden, logits, argmax, topK };
  }
  ops.push({ kind: "argmax", x: logits, out: argmax });
  return { output: ops, hidden, argmax };
}

/** What the output part does to some rows, it does to all. */
function rowsSegment({ outputNorm: norm }: Model, residual: Slot, slots: SlotTable): Segment {
  const rows = slots.slot("hidden rows", residual.width);
  const ops = [normOp({ x: residual, out: rows, norm, groups: 1 })];
  return { name: "read rows", ops, outputs: [rows] };
}

function logitOps({ hyperparameters: { scales } }: Model, logits: Slot): readonly Op[] {
  const { logits: factor, logitCap: cap } = scales;
  if (factor === 1 && cap === undefined) return [];
  return [{ kind: "scale", x: logits, out: logits, factor, ...(cap !== undefined && { cap }) }];
}

function outputLinear({ output: weight, outputBias: bias }: Model): Linear {
  return { weight, ...(bias && { bias }) };
}

function checkOptions(model: Model, options: ProgramOptions): void {
  const { sequences, maxRows, maxOutputs } = options;
  const counts = { contextLength: options.contextLength, sequences, maxRows, maxOutputs };
  for (const [name, count] of Object.entries(counts)) checkValue(count, name, countRule(1));
  const { contextLength, slidingWindow, layers } = model.hyperparameters;
  if (slidingWindow !== undefined && options.contextLength > slidingWindow) {
    const expected = `at most ${slidingWindow}: the file states a sliding window, which this architecture is not known to have`;
    throw new OptionError("contextLength", String(options.contextLength), expected);
  }
  if (model.positions !== undefined && options.contextLength > contextLength) {
    const expected = `at most ${contextLength}: this model has learned no further positions`;
    throw new OptionError("contextLength", String(options.contextLength), expected);
  }
  const unknown = options.exposed?.find((layer) => !Number.isInteger(layer) || layer >= layers);
  if (unknown !== undefined) {
    throw new OptionError("exposed", String(unknown), `layers from 0 to ${layers - 1}`);
  }
  if (options.lastLayer !== "output rows") return;
  if (options.showsRows || options.output === "none" || options.exposed?.includes(layers - 1)) {
    const expected = "all rows, where there is no output, or all rows or the last layer are shown";
    throw new OptionError("lastLayer", options.lastLayer, expected);
  }
}
