/**
 * One feed-forward block: dense in two dispatches (gate, up and activation; down), or sparse in the steps
 * predict → compact (twice) → gate, up, activation over the list → down over the list, all on the GPU.
 */
import type { FfnBlock, OpOf, Slot, Weight } from "../../ops/op.ts";
import { gatheredColumns } from "./gathered-columns.ts";
import { type Binding, type BufferSpec, reads, slotStride } from "./kernel.ts";
import { activationCode, hiddenCode } from "./kernels/activation.ts";
import type { ActiveList } from "./kernels/active-list.ts";
import { axpy, axpyGrid } from "./kernels/axpy.ts";
import { axpyTileParts, axpyTiles } from "./kernels/axpy-tiles.ts";
import { type Epilogue, output } from "./kernels/epilogue.ts";
import type { Pairs, Product, WeightPiece } from "./kernels/gemv.ts";
import { joinParts, partialBytes } from "./kernels/join-parts.ts";
import { norm } from "./kernels/norm.ts";
import { activate } from "./kernels/rows.ts";
import { emitProduct } from "./lower-product.ts";
import { extentOf, type Lowering, maxNeurons } from "./lowering.ts";

/** A block with what every step of its lowering needs. */
export interface FfnRecording {
  readonly op: OpOf<"ffn">;
  readonly block: FfnBlock;
  /** Neurons on this device: the subset's, or all. */
  readonly neurons: number;
  readonly label: string;
  readonly x: BufferSpec;
  /** h, f32 [rows, neurons]; shared by all blocks. */
  readonly hidden: BufferSpec;
  readonly gateBias?: BufferSpec;
  readonly upBias?: BufferSpec;
}

export function ffnRecording(op: OpOf<"ffn">, lowering: Lowering): FfnRecording {
  const { block } = op;
  const neurons = block.subset?.length ?? block.neurons;
  const label = `ffn ${block.layer}`;
  const rows = lowering.maxRows(op.x.rows);
  const biasOf = (of: string, weight: Weight | undefined): BufferSpec | undefined => {
    const bias = weight && { weight, length: block.neurons };
    return bias && lowering.buffers.vector(`${label} ${of} bias`, [bias], block.subset);
  };
  const gateBias = biasOf("gate", block.gateBias);
  const upBias = biasOf("up", block.upBias);
  return {
    op,
    block,
    neurons,
    label,
    x: lowering.slot(op.x),
    hidden: neuronBuffer("ffn hidden", rows, lowering),
    ...(gateBias && { gateBias }),
    ...(upBias && { upBias }),
  };
}

/** f32 [rows, neurons] for any block of the program: they run one after the other. */
export function neuronBuffer(label: string, rows: number, lowering: Lowering): BufferSpec {
  const bytes = rows * slotStride(maxNeurons(lowering.program)) * 4;
  return lowering.buffers.empty(label, bytes);
}

/** h for all neurons. */
export function lowerHidden(recording: FfnRecording, lowering: Lowering): void {
  const { block } = recording;
  if (block.gate === undefined) {
    const epilogue = {
      activation: block.activation,
      ...(recording.upBias && { bias: recording.upBias }),
    };
    allNeurons(recording, lowering, { weight: block.up, out: recording.hidden, epilogue });
  } else if (block.gate.type === block.up.type) {
    lowerPair(recording, block.gate, lowering);
  } else {
    lowerUnlike(recording, block.gate, lowering);
  }
}

/** out = epilogue(W x) for all neurons of one weight. */
export function allNeurons(
  { op, block, neurons, x }: FfnRecording,
  lowering: Lowering,
  product: {
    readonly weight: Weight;
    readonly out: BufferSpec;
    readonly epilogue: Pick<Epilogue, "activation" | "bias">;
  },
): void {
  const { weight, out, epilogue } = product;
  const outputs = [output(out, { first: 0, width: neurons })];
  for (const piece of lowering.buffers.matrix(neuronRows(weight, block))) {
    const made: Product = {
      label: weight.name,
      x,
      piece,
      step: lowering.step,
      shapes: lowering.buffers,
      of: extentOf(op.x.rows),
      epilogue: { ...epilogue, outputs, into: "assign" },
    };
    emitProduct(made, lowering.maxRows(op.x.rows), lowering);
  }
}

export function neuronRows(
  weight: Weight,
  { subset }: Pick<FfnBlock, "subset">,
): { label: string; weights: readonly Weight[]; rows?: Uint32Array } {
  const matrix = { label: weight.name, weights: [weight] };
  return subset === undefined ? matrix : { ...matrix, rows: subset };
}

/** Gate and up stacked, in pieces of the same neurons. */
export function pairedPieces(
  { block, label }: FfnRecording,
  gate: Weight,
  lowering: Lowering,
): readonly WeightPiece[] {
  const matrix = { label: `${label} gate+up`, weights: [gate, block.up] };
  const { subset } = block;
  return lowering.buffers.pairedMatrix(subset === undefined ? matrix : { ...matrix, rows: subset });
}

/** `fn combine(n, g, u)`: h of neuron n from its two sums. */
export function combineCode(recording: FfnRecording): {
  functions: string;
  bindings: readonly Binding[];
} {
  const { block, gateBias, upBias } = recording;
  const gate = gateBias === undefined ? "g" : "(g + gate_bias[n])";
  const up = upBias === undefined ? "u" : "(u + up_bias[n])";
  return {
    bindings: [
      ...(gateBias === undefined ? [] : [reads("gate_bias", "array<f32>", gateBias)]),
      ...(upBias === undefined ? [] : [reads("up_bias", "array<f32>", upBias)]),
    ],
    functions: `${activationCode(block.activation)}
fn combine(n: u32, g: f32, u: f32) -> f32 { return ${hiddenCode(block.gating, up, gate)}; }
`,
  };
}

function lowerPair(recording: FfnRecording, gate: Weight, lowering: Lowering): void {
  const { op, neurons, hidden, x, label } = recording;
  for (const piece of pairedPieces(recording, gate, lowering)) {
    const pairs: Pairs = { rows: piece.rows, ...combineCode(recording) };
    const product: Product = {
      label: `${label} gate+up`,
      x,
      piece,
      pairs,
      step: lowering.step,
      shapes: lowering.buffers,
      of: extentOf(op.x.rows),
      epilogue: { outputs: [output(hidden, { first: 0, width: neurons })], into: "assign" },
    };
    emitProduct(product, lowering.maxRows(op.x.rows), lowering);
  }
}

/** Gate and up of different types cannot share a pass: two products and their combination. */
function lowerUnlike(recording: FfnRecording, gate: Weight, lowering: Lowering): void {
  const { op, block, neurons, hidden } = recording;
  const rows = lowering.maxRows(op.x.rows);
  const gated = neuronBuffer("ffn gate", rows, lowering);
  const gateEpilogue = recording.gateBias === undefined ? {} : { bias: recording.gateBias };
  allNeurons(recording, lowering, { weight: gate, out: gated, epilogue: gateEpilogue });
  const epilogue = recording.upBias === undefined ? {} : { bias: recording.upBias };
  allNeurons(recording, lowering, { weight: block.up, out: hidden, epilogue });
  const slot = { id: -1, name: recording.label, width: neurons, rows: op.x.rows };
  const { gating, activation } = block;
  lowering.emit(
    activate(
      { kind: "activate", gating, activation, gate: slot, up: slot, out: slot },
      { gate: gated, up: hidden, out: hidden },
    ),
  );
}

/** out (+)= down(h) (+ bias): over all neurons, or over the active ones where a neuron is a row of the weight. */
export function lowerDown(
  recording: FfnRecording,
  lowering: Lowering,
  lists?: readonly ActiveList[],
): void {
  const { op, block, hidden, label } = recording;
  const { dim, down, downBias } = block;
  lowerHiddenNorm(recording, lowering);
  const bias =
    downBias && lowering.buffers.vector(downBias.name, [{ weight: downBias, length: dim }]);
  const outputs = [output(lowering.slot(op.out), { first: 0, width: dim })];
  if (down.layout === "columns") {
    const epilogue = { outputs, into: op.into, ...(bias && { bias }) };
    for (const piece of columnPieces(recording, lowering)) {
      const of = extentOf(op.x.rows);
      const product = {
        label: `${label} down`,
        x: hidden,
        piece,
        step: lowering.step,
        shapes: lowering.buffers,
        of,
        epilogue,
      };
      emitProduct(product, lowering.maxRows(op.x.rows), lowering);
    }
    return;
  }
  lowerRows(recording, lowering, { outputs, into: op.into, ...(bias && { bias }) }, lists);
}

/** Over all neurons: h is 0 outside the active set. */
function lowerHiddenNorm({ op, block, hidden, label }: FfnRecording, lowering: Lowering): void {
  const { hiddenNorm, neurons } = block;
  if (hiddenNorm === undefined) return;
  const { weight, epsilon } = hiddenNorm;
  const slot: Slot = { id: -1, name: `${label} hidden`, width: neurons, rows: op.x.rows };
  const vector = lowering.buffers.vector(weight.name, [{ weight, length: neurons }]);
  const parts = { kind: "norm", form: "rms", groups: 1, epsilon, x: slot, out: slot } as const;
  lowering.emit(norm(parts, { x: hidden, out: hidden, weight: vector }));
}

/** The down projection stored by neuron: of one row (axpy.ts) or a tile of rows (axpy-tiles.ts), in parts that fill a card. */
function lowerRows(
  recording: FfnRecording,
  lowering: Lowering,
  epilogue: Epilogue,
  lists: readonly ActiveList[] | undefined,
): void {
  const { op, block, neurons, hidden, label } = recording;
  const { buffers: shapes, step } = lowering;
  const of = extentOf(op.x.rows);
  const maxRows = lowering.maxRows(op.x.rows);
  const shared = { label: `${label} down`, hidden, neurons, of, shapes, step };
  const all = shapes.matrix(neuronRows(block.down.weight, block));
  // Of what is streamed each piece is added up before the next one comes, or there would be as many parts as pieces.
  const together = all.some(({ buffer }) => buffer.window !== undefined)
    ? all.map((piece) => [piece])
    : [all];
  for (const { tileRows, tiles, ...range } of downForms) {
    if (range.min > maxRows) return;
    const when = { of, min: range.min, max: Math.min(range.max, maxRows) };
    const active = lists?.find((list) => list.when.min <= when.min && list.when.max >= when.max);
    const form = { ...shared, when, ...(active && { active }) };
    for (const [at, pieces] of together.entries()) {
      const own = at === 0 ? epilogue : ({ outputs: epilogue.outputs, into: "add" } as const);
      const counts = pieces.map((piece) =>
        tileRows === 1 ? axpyGrid(piece, shapes).parts : axpyTileParts(piece, tiles, shapes),
      );
      const parts = counts.reduce((sum, count) => sum + count, 0);
      const [only] = pieces;
      if (tileRows === 1 && parts === 1 && only !== undefined) {
        lowering.emit(axpy({ ...form, piece: only, into: { epilogue: own } }));
        continue;
      }
      const { dim } = block;
      const bytes = partialBytes(when.max, { parts, dim });
      const sums = { buffer: shapes.empty("ffn parts", bytes), parts, dim };
      let first = 0;
      pieces.forEach((piece, i) => {
        const into = { sums, first, count: counts[i] ?? 1 };
        first += into.count;
        const call = { ...form, piece, into };
        lowering.emit(tileRows === 1 ? axpy(call) : axpyTiles({ ...call, tileRows }));
      });
      lowering.emit(joinParts(shared.label, { sums, epilogue: own, shapes, of, when }));
    }
  }
}

/** Forms of that projection by the rows of a step: rows that share a read of a weight, and tiles of them at least. */
const downForms = [
  { tileRows: 1, tiles: 1, min: 1, max: 1 },
  { tileRows: 8, tiles: 1, min: 2, max: 8 },
  { tileRows: 16, tiles: 1, min: 9, max: 16 },
  { tileRows: 32, tiles: 1, min: 17, max: 64 },
  { tileRows: 32, tiles: 3, min: 65, max: Number.POSITIVE_INFINITY },
] as const;

function columnPieces({ block, label }: FfnRecording, lowering: Lowering): readonly WeightPiece[] {
  const { weight } = block.down;
  if (block.subset === undefined) {
    return lowering.buffers.matrix({ label: weight.name, weights: [weight] });
  }
  return gatheredColumns(`${label} down`, { weight, columns: block.subset }, lowering.buffers);
}
