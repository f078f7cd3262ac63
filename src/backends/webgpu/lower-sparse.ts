/** The sparse ways through a feed-forward block: the ops that score the neurons, and those that compute the active ones. */
import type { Slot, Weight } from "../../ops/op.ts";
import { type Binding, type BufferSpec, reads, slotStride } from "./kernel.ts";
import { activationCode } from "./kernels/activation.ts";
import { type ActiveList, bitWords } from "./kernels/active-list.ts";
import {
  activeBits,
  activeList,
  type CountPlace,
  type GivenSet,
  givenBits,
  type Scores,
} from "./kernels/compact.ts";
import { tileRows as manyTileRows } from "./kernels/gemm.ts";
import { type SparseProduct, sparseProduct } from "./kernels/sparse-product.ts";
import { sparseTiles } from "./kernels/sparse-tiles.ts";
import {
  allNeurons,
  combineCode,
  type FfnRecording,
  lowerDown,
  lowerHidden,
  neuronBuffer,
  neuronRows,
  pairedPieces,
} from "./lower-ffn.ts";
import { type Judged, neuronVector, predictedScores } from "./lower-predictor.ts";
import { fewRows, manyRows } from "./lower-product.ts";
import { extentOf, type Lowering, maxNeurons } from "./lowering.ts";

function predictedBy(recording: FfnRecording): Judged {
  const { op, block, neurons, x, label } = recording;
  const { dim, subset } = block;
  const score = (lowering: Lowering): BufferSpec => scoreBuffer(recording, lowering);
  return { rows: op.x.rows, dim, neurons, x, label, score, ...(subset && { subset }) };
}

/** Emits the compaction of scores; the lists are the same whatever the scores are of. */
type Compact = (scores: Omit<Scores, "shapes">) => void;

export function lowerSparse(recording: FfnRecording, lowering: Lowering, place: CountPlace): void {
  const { block, hidden } = recording;
  const lists = activeLists(recording, lowering);
  const { buffers: shapes, step } = lowering;
  const list = (made: readonly ActiveList[]): void =>
    lowering.emit(...made.map((of) => activeList(of, { shapes, step, place })));
  const compact: Compact = (scores) => {
    const [first] = lists;
    if (first === undefined) return;
    lowering.emit(activeBits({ ...scores, shapes }, first));
    list(lists);
  };
  const { method } = block;
  // A norm, and down where it is not stored by neuron, run over all of h, which must then be 0 outside the active set.
  const readsAll = block.down.layout === "columns" || block.hiddenNorm !== undefined;
  const zero = readsAll ? { zero: hidden } : {};
  switch (method.kind) {
    case "dense":
      break;
    case "mlp":
    case "sign":
      compact({ method, ...predictedScores(predictedBy(recording), method, lowering), ...zero });
      lowerActiveHidden(recording, lists, lowering);
      break;
    case "given":
      if (lists[0] !== undefined) {
        const given = givenSet(recording, method.active, lowering);
        lowering.emit(givenBits({ ...given, ...zero }, lists[0]));
        list(lists);
      }
      lowerActiveHidden(recording, lists, lowering);
      break;
    case "gate":
    case "threshold-gate":
      lowerGated(recording, lowering, { method, lists, zero, compact });
      break;
    case "threshold-output": {
      lowerHidden(recording, lowering);
      const byNeuron = neuronVector(predictedBy(recording), method.downNorms, lowering);
      // Rows that share a list read h where only another of them is active.
      compact({ method, score: hidden, byNeuron, zero: hidden });
      break;
    }
    default:
      method satisfies never;
  }
  lowerDown(recording, lowering, lists);
}

/** Where the active set lies: a list for each row, for 16 or for 32 rows, by the rows of the step. */
function activeLists({ op, neurons }: FfnRecording, lowering: Lowering): readonly ActiveList[] {
  const { buffers, program } = lowering;
  const rows = lowering.maxRows(op.x.rows);
  const of = extentOf(op.x.rows);
  const tiles = Math.ceil(rows / manyTileRows);
  const most = maxNeurons(program);
  const set = {
    list: buffers.empty("ffn list", tiles * most * 4),
    lengths: buffers.empty("ffn lengths", tiles * 8),
    bits: buffers.empty("ffn bits", rows * bitWords(most) * 4),
    neurons,
    of,
  };
  const few = manyRows - 1;
  return [
    { tileRows: 1, min: 1, max: 1 },
    { tileRows: few, min: 2, max: few },
    { tileRows: manyTileRows, min: manyRows, max: Number.POSITIVE_INFINITY },
  ]
    .filter(({ min }) => min <= rows)
    .map(({ tileRows, min, max }) => ({
      ...set,
      tileRows,
      when: { of, min, max: Math.min(max, rows) },
    }));
}

/** One form of the product for each count of rows, as emitProduct. */
function emitSparse(
  product: SparseProduct,
  lists: readonly ActiveList[],
  lowering: Lowering,
): void {
  for (const list of lists) {
    const { when } = list;
    if (list.tileRows === manyTileRows) {
      lowering.emit(sparseTiles(product, list, when));
      continue;
    }
    for (const { rows, min } of fewRows) {
      if (min < when.min || min > when.max) continue;
      const max = Math.min(rows, when.max);
      lowering.emit(sparseProduct(product, list, { rows, when: { of: when.of, min, max } }));
    }
  }
}

function scoreBuffer({ op }: FfnRecording, lowering: Lowering): BufferSpec {
  return neuronBuffer("ffn score", lowering.maxRows(op.x.rows), lowering);
}

function givenSet(
  { block, neurons, label }: FfnRecording,
  active: Slot,
  { buffers, slot }: Lowering,
): GivenSet {
  const { subset } = block;
  const make = (): Uint8Array => new Uint8Array(Uint32Array.from(subset ?? []).buffer);
  const ids = subset && { ids: buffers.made(`${label} ids`, neurons * 4, make, subset) };
  return { given: slot(active), width: active.width, shapes: buffers, ...ids };
}

/** h of the active neurons, gate and up both from the list. */
function lowerActiveHidden(
  recording: FfnRecording,
  lists: readonly ActiveList[],
  lowering: Lowering,
): void {
  const { block, x, hidden, label } = recording;
  const { gate, up } = block;
  const combine = combineCode(recording);
  const shared = { x, shapes: lowering.buffers };
  if (gate === undefined) {
    for (const piece of lowering.buffers.matrix(neuronRows(up, block))) {
      const made = { ...shared, label: `${label} sparse up`, piece, hidden, isPaired: false };
      emitSparse({ ...made, ...combine, value: "combine(n, 0.0, a)" }, lists, lowering);
    }
    return;
  }
  if (gate.type === up.type) {
    for (const piece of pairedPieces(recording, gate, lowering)) {
      const made = { ...shared, label: `${label} sparse gate+up`, piece, hidden, isPaired: true };
      emitSparse({ ...made, ...combine, value: "combine(n, a, b)" }, lists, lowering);
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
    const { gateBias } = recording;
    const g = gateBias === undefined ? "a" : "a + gate_bias[n]";
    const gated = {
      functions: activationCode(block.activation),
      bindings: gateBias === undefined ? [] : [reads("gate_bias", "array<f32>", gateBias)],
      value: `act(${g})`,
    };
    emitSparse({ ...made, ...gated }, lists, lowering);
  }
  lowerActiveUp(recording, { score, lists, weight: up }, lowering);
}

/** h = score·u (or score·act(u)) over the list, score being act(gate). */
function lowerActiveUp(
  recording: FfnRecording,
  from: {
    readonly score: BufferSpec;
    readonly lists: readonly ActiveList[];
    readonly weight: Weight;
  },
  lowering: Lowering,
): void {
  const { block, neurons, x, hidden, label, upBias } = recording;
  const { score, lists, weight } = from;
  const u = upBias === undefined ? "a" : "(a + up_bias[n])";
  const g = `score[m * ${slotStride(neurons)}u + n]`;
  const bindings: readonly Binding[] = [
    reads("score", "array<f32>", score),
    ...(upBias === undefined ? [] : [reads("up_bias", "array<f32>", upBias)]),
  ];
  const value = block.gating === "both" ? `${g} * act(${u})` : `${g} * ${u}`;
  const functions = activationCode(block.activation);
  const shared = { x, shapes: lowering.buffers };
  for (const piece of lowering.buffers.matrix(neuronRows(weight, block))) {
    const made = { ...shared, label: `${label} sparse up`, piece, hidden, isPaired: false };
    emitSparse({ ...made, functions, bindings, value }, lists, lowering);
  }
}

/** The gate (or up, if ungated) is computed for all neurons and decides; the other matrices only for the neurons that stay. */
function lowerGated(
  recording: FfnRecording,
  lowering: Lowering,
  {
    method,
    lists,
    zero,
    compact,
  }: Pick<Scores, "method"> & {
    readonly lists: readonly ActiveList[];
    readonly zero: Pick<Scores, "zero">;
    readonly compact: Compact;
  },
): void {
  const { block, hidden } = recording;
  if (block.gate === undefined) {
    lowerHidden(recording, lowering);
    compact({ method, score: hidden, zero: hidden });
    return;
  }
  const score = scoreBuffer(recording, lowering);
  const { activation } = block;
  const epilogue = { activation, ...(recording.gateBias && { bias: recording.gateBias }) };
  allNeurons(recording, lowering, { weight: block.gate, out: score, epilogue });
  compact({ method, score, ...zero });
  lowerActiveUp(recording, { score, lists, weight: block.up }, lowering);
}
