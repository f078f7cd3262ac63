/** The sparse ways through a feed-forward block: the ops that score the neurons, and those that compute the active ones. */
import type { SparsityMethod, Weight } from "../../ops/op.ts";
import { type Binding, type BufferSpec, reads, slotStride } from "./kernel.ts";
import { activationCode } from "./kernels/activation.ts";
import { output } from "./kernels/epilogue.ts";
import { type ActiveList, type Compaction, compact, signScore } from "./kernels/sparse.ts";
import { sparseProduct } from "./kernels/sparse-product.ts";
import {
  allNeurons,
  type CountPlace,
  combineCode,
  type FfnRecording,
  lowerDown,
  lowerHidden,
  neuronBuffer,
  neuronRows,
  pairedPieces,
} from "./lower-ffn.ts";
import { emitProduct } from "./lower-product.ts";
import { extentOf, type Lowering } from "./lowering.ts";

export function lowerSparse(recording: FfnRecording, lowering: Lowering, place: CountPlace): void {
  const { op, block, neurons, hidden } = recording;
  const rows = lowering.maxRows(op.x.rows);
  const active: ActiveList = {
    list: neuronBuffer("ffn list", rows, lowering),
    neurons,
    of: extentOf(op.x.rows),
    ...place,
  };
  const { method } = block;
  // Where down is not stored by neuron it runs over all of h, which must then be 0 outside the active set.
  const zero = block.down.layout === "columns" ? { zero: hidden } : {};
  switch (method.kind) {
    case "dense":
      break;
    case "mlp":
    case "sign": {
      const score = lowerPredictor(recording, method, lowering);
      const margins = method.kind === "sign" ? method.margins : undefined;
      const byNeuron = margins && { byNeuron: neuronVector(recording, margins, lowering) };
      const from = { method, shapes: lowering.buffers, score, active };
      lowering.emit(compact({ ...from, ...zero, ...byNeuron }));
      lowerActiveHidden(recording, active, lowering);
      break;
    }
    case "gate":
    case "threshold-gate":
      lowerGated(recording, lowering, { method, active, zero });
      break;
    case "threshold-output": {
      lowerHidden(recording, lowering);
      const byNeuron = neuronVector(recording, method.downNorms, lowering);
      const inPlace = block.down.layout === "columns" ? { zero: hidden } : {};
      lowering.emit(
        compact({ method, shapes: lowering.buffers, score: hidden, active, byNeuron, ...inPlace }),
      );
      break;
    }
    default:
      method satisfies never;
  }
  lowerDown(recording, lowering, active);
}

function scoreBuffer({ op }: FfnRecording, lowering: Lowering): BufferSpec {
  return neuronBuffer("ffn score", lowering.maxRows(op.x.rows), lowering);
}

/** The score of every neuron: fc2·relu(fc1·input), or the sign predictor's count. */
function lowerPredictor(
  recording: FfnRecording,
  method: Extract<SparsityMethod, { kind: "mlp" | "sign" }>,
  lowering: Lowering,
): BufferSpec {
  const { op, block, neurons, x, label } = recording;
  const score = scoreBuffer(recording, lowering);
  if (method.kind === "sign") {
    const signs = signsBuffer(recording, method.signs, lowering);
    const { centre: values } = method;
    const centre = values && { centre: centreBuffer(recording, values, lowering) };
    const of = extentOf(op.x.rows);
    lowering.emit(signScore({ x, signs, score, dim: block.dim, neurons, of, ...centre }));
    return score;
  }
  const rank = method.fc1.rows;
  const maxRows = lowering.maxRows(op.x.rows);
  const middle = lowering.buffers.empty(`ffn fc1 ${rank}`, maxRows * slotStride(rank) * 4);
  const { step, buffers: shapes } = lowering;
  const of = extentOf(op.x.rows);
  for (const piece of lowering.buffers.matrix({ label: method.fc1.name, weights: [method.fc1] })) {
    const outputs = [output(middle, { first: 0, width: rank })];
    const epilogue = { outputs, into: "assign", activation: { kind: "relu" } } as const;
    const input = lowering.slot(method.input);
    emitProduct(
      { label: `${label} fc1`, x: input, piece, step, of, epilogue, shapes },
      maxRows,
      lowering,
    );
  }
  for (const piece of lowering.buffers.matrix(neuronRows(method.fc2, block))) {
    const outputs = [output(score, { first: 0, width: neurons })];
    const epilogue = { outputs, into: "assign" } as const;
    emitProduct(
      { label: `${label} fc2`, x: middle, piece, step, of, epilogue, shapes },
      maxRows,
      lowering,
    );
  }
  return score;
}

/** h of the active neurons, gate and up both from the list. */
function lowerActiveHidden(recording: FfnRecording, active: ActiveList, lowering: Lowering): void {
  const { block, x, hidden, label } = recording;
  const { gate, up } = block;
  const combine = combineCode(recording);
  const shared = { x, active, shapes: lowering.buffers };
  if (gate === undefined) {
    for (const piece of lowering.buffers.matrix(neuronRows(up, block))) {
      const made = { ...shared, label: `${label} sparse up`, piece, hidden, isPaired: false };
      lowering.emit(sparseProduct({ ...made, ...combine, value: "combine(n, 0.0, a)" }));
    }
    return;
  }
  if (gate.type === up.type) {
    for (const piece of pairedPieces(recording, gate, lowering)) {
      const made = { ...shared, label: `${label} sparse gate+up`, piece, hidden, isPaired: true };
      lowering.emit(sparseProduct({ ...made, ...combine, value: "combine(n, a, b)" }));
    }
    return;
  }
  const score = scoreBuffer(recording, lowering);
  for (const piece of lowering.buffers.matrix(neuronRows(gate, block))) {
    const made = {
      ...shared,
      label: `${label} sparse gate`,
      piece,
      hidden: score,
      isPaired: false,
    };
    const act = activationCode(block.activation);
    lowering.emit(sparseProduct({ ...made, functions: act, bindings: [], value: "act(a)" }));
  }
  lowerActiveUp(recording, { score, active, weight: up }, lowering);
}

/** h = score·u (or score·act(u)) over the list, score being act(gate). */
function lowerActiveUp(
  recording: FfnRecording,
  from: { readonly score: BufferSpec; readonly active: ActiveList; readonly weight: Weight },
  lowering: Lowering,
): void {
  const { block, neurons, x, hidden, label, upBias } = recording;
  const { score, active, weight } = from;
  const u = upBias === undefined ? "a" : "(a + up_bias[n])";
  const g = `score[m * ${slotStride(neurons)}u + n]`;
  const bindings: readonly Binding[] = [
    reads("score", "array<f32>", score),
    ...(upBias === undefined ? [] : [reads("up_bias", "array<f32>", upBias)]),
  ];
  const value = block.gating === "both" ? `${g} * act(${u})` : `${g} * ${u}`;
  const functions = activationCode(block.activation);
  const shared = { x, active, shapes: lowering.buffers };
  for (const piece of lowering.buffers.matrix(neuronRows(weight, block))) {
    const made = { ...shared, label: `${label} sparse up`, piece, hidden, isPaired: false };
    lowering.emit(sparseProduct({ ...made, functions, bindings, value }));
  }
}

/** The gate (or up, if ungated) is computed for all neurons and decides; the other matrices only for the neurons that stay. */
function lowerGated(
  recording: FfnRecording,
  lowering: Lowering,
  step: Pick<Compaction, "method" | "active"> & { readonly zero: Pick<Compaction, "zero"> },
): void {
  const { block, hidden } = recording;
  const { method, active, zero } = step;
  if (block.gate === undefined) {
    lowerHidden(recording, lowering);
    lowering.emit(compact({ method, shapes: lowering.buffers, score: hidden, active, ...zero }));
    return;
  }
  const score = scoreBuffer(recording, lowering);
  const { activation } = block;
  allNeurons(recording, lowering, { weight: block.gate, out: score, epilogue: { activation } });
  lowering.emit(compact({ method, shapes: lowering.buffers, score, active, ...zero }));
  lowerActiveUp(recording, { score, active, weight: block.up }, lowering);
}

/** A number for each neuron of this device, as f32. */
function neuronVector(
  { block, neurons, label }: FfnRecording,
  values: Float32Array | Int32Array,
  lowering: Lowering,
): BufferSpec {
  const make = (): Uint8Array => {
    const all = Float32Array.from(values);
    const wanted = block.subset && Float32Array.from(block.subset, (neuron) => all[neuron] ?? 0);
    return new Uint8Array((wanted ?? all).buffer);
  };
  return lowering.buffers.made(`${label} by neuron`, neurons * 4, make, block.subset);
}

function centreBuffer(
  { label }: FfnRecording,
  centre: Float32Array,
  lowering: Lowering,
): BufferSpec {
  const make = (): Uint8Array => new Uint8Array(centre.slice().buffer);
  return lowering.buffers.made(`${label} centre`, centre.byteLength, make);
}

function signsBuffer(
  { block, neurons, label }: FfnRecording,
  signs: Uint8Array,
  lowering: Lowering,
): BufferSpec {
  const rowBytes = Math.ceil(block.dim / 64) * 8;
  const { subset } = block;
  const make = (): Uint8Array => {
    if (subset === undefined) return signs;
    const gathered = new Uint8Array(neurons * rowBytes);
    subset.forEach((neuron, i) => {
      gathered.set(signs.subarray(neuron * rowBytes, (neuron + 1) * rowBytes), i * rowBytes);
    });
    return gathered;
  };
  return lowering.buffers.made(`${label} signs`, neurons * rowBytes, make, subset);
}
