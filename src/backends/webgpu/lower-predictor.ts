/** Predictors on the card: the scores of neurons, and the op that makes an active set of them for several devices. */
import type { OpOf, Predictor, Slot } from "../../ops/op.ts";
import { type BufferSpec, slotStride } from "./kernel.ts";
import { predictedSet, type Scores } from "./kernels/compact.ts";
import { output } from "./kernels/epilogue.ts";
import { signScore } from "./kernels/sign-score.ts";
import { neuronRows } from "./lower-ffn.ts";
import { emitProduct } from "./lower-product.ts";
import { extentOf, type Lowering } from "./lowering.ts";

/** The neurons that a predictor judges. */
export interface Judged {
  readonly rows: Slot["rows"];
  readonly dim: number;
  readonly neurons: number;
  /** Their ids in the predictor's rows; absent: all. */
  readonly subset?: Uint32Array;
  /** The block's input. */
  readonly x: BufferSpec;
  readonly label: string;
  /** Where scores go: f32 [rows, neurons]. */
  score(lowering: Lowering): BufferSpec;
}

export function lowerPredict(
  { x, out, layer, neurons, predictor }: OpOf<"predict">,
  lowering: Lowering,
): void {
  const score = (): BufferSpec => {
    const bytes = lowering.maxRows(x.rows) * slotStride(neurons) * 4;
    return lowering.buffers.empty("predict score", bytes);
  };
  const label = `predict ${layer}`;
  const judged = { rows: x.rows, dim: x.width, neurons, x: lowering.slot(x), label, score };
  const scores = predictedScores(judged, predictor, lowering);
  const into = { out: lowering.slot(out), neurons, of: extentOf(x.rows) };
  lowering.emit(predictedSet({ method: predictor, ...scores, shapes: lowering.buffers }, into));
}

/** The score of every neuron: fc2·relu(fc1·input), or the sign predictor's count; and what each is compared with. */
export function predictedScores(
  judged: Judged,
  method: Predictor,
  lowering: Lowering,
): Pick<Scores, "score" | "byNeuron"> {
  const score = judged.score(lowering);
  if (method.kind === "mlp") {
    lowerNetwork(judged, method, { score, lowering });
    return { score };
  }
  lowerSigns(judged, method, { score, lowering });
  const { margins } = method;
  return { score, ...(margins && { byNeuron: neuronVector(judged, margins, lowering) }) };
}

interface IntoScore {
  readonly score: BufferSpec;
  readonly lowering: Lowering;
}

function lowerSigns(
  judged: Judged,
  method: Extract<Predictor, { kind: "sign" }>,
  { score, lowering }: IntoScore,
): void {
  const { rows, dim, neurons, x } = judged;
  const signs = signsBuffer(judged, method.signs, lowering);
  const { centre: values } = method;
  const centre = values && { centre: centreBuffer(judged, values, lowering) };
  const of = extentOf(rows);
  const maxRows = lowering.maxRows(rows);
  const shared = { x, signs, score, step: lowering.step, dim, neurons, of, ...centre };
  lowering.emit(signScore({ ...shared, rows: 1, when: { of, min: 1, max: 1 } }));
  if (maxRows > 1) {
    lowering.emit(signScore({ ...shared, rows: 8, when: { of, min: 2, max: maxRows } }));
  }
}

function lowerNetwork(
  { rows, neurons, label, subset }: Judged,
  method: Extract<Predictor, { kind: "mlp" }>,
  { score, lowering }: IntoScore,
): void {
  const rank = method.fc1.rows;
  const maxRows = lowering.maxRows(rows);
  const middle = lowering.buffers.empty(`ffn fc1 ${rank}`, maxRows * slotStride(rank) * 4);
  const { step, buffers: shapes } = lowering;
  const of = extentOf(rows);
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
  for (const piece of lowering.buffers.matrix(
    neuronRows(method.fc2, subset === undefined ? {} : { subset }),
  )) {
    const outputs = [output(score, { first: 0, width: neurons })];
    const epilogue = { outputs, into: "assign" } as const;
    emitProduct(
      { label: `${label} fc2`, x: middle, piece, step, of, epilogue, shapes },
      maxRows,
      lowering,
    );
  }
}

/** A number for each neuron of this device, as f32. */
export function neuronVector(
  { neurons, label, subset }: Judged,
  values: Float32Array | Int32Array,
  lowering: Lowering,
): BufferSpec {
  const make = (): Uint8Array => {
    const all = Float32Array.from(values);
    const wanted = subset && Float32Array.from(subset, (neuron) => all[neuron] ?? 0);
    return new Uint8Array((wanted ?? all).buffer);
  };
  return lowering.buffers.made(`${label} by neuron`, neurons * 4, make, subset);
}

function centreBuffer({ label }: Judged, centre: Float32Array, lowering: Lowering): BufferSpec {
  const make = (): Uint8Array => new Uint8Array(centre.slice().buffer);
  return lowering.buffers.made(`${label} centre`, centre.byteLength, make);
}

function signsBuffer(
  { dim, neurons, label, subset }: Judged,
  signs: Uint8Array,
  lowering: Lowering,
): BufferSpec {
  const rowBytes = Math.ceil(dim / 64) * 8;
  const make = (): Uint8Array => {
    if (subset === undefined) return signs;
    const gathered = new Uint8Array(neurons * rowBytes);
    subset.forEach((neuron, i) => {
      gathered.set(signs.subarray(neuron * rowBytes, (neuron + 1) * rowBytes), i * rowBytes);
    });
    return gathered;
  };
  return lowering.buffers.madeMatrix(`${label} signs`, neurons * rowBytes, make, subset);
}
