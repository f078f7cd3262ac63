/**
 * Feed-forward blocks whose share of active neurons is set at run time, by the input of their predictor; dense blocks and the
 * predictor's products alone beside them. bench/kernels/measure-gpu.mjs measures the same.
 */
import { createProgramBuilder } from "../../src/backends/conformance/program-builder.ts";
import { rowBytes, type WeightType } from "../../src/core/dtype.ts";
import { createRandom } from "../../src/core/random.ts";
import type { FfnBlock, Op, Slot, SparsityMethod, Weight } from "../../src/ops/op.ts";
import type { Program } from "../../src/ops/program.ts";
import { quantCodec } from "../../src/quant/codecs.ts";

/** Rank of the predictor: row 0 sets the share; each of the others is an order of the neurons, so that rounds differ. */
const predictorRank = 64;

export interface SparseShape {
  readonly type: WeightType;
  readonly neurons: number;
  readonly columns: number;
  /** Blocks of a segment, one behind the other, each with weights of its own. */
  readonly blocks: number;
  /** False: no gates, and a segment "gated" without ops. */
  readonly hasGates: boolean;
}

/** Segments by what they run, each `blocks` times; "nothing" reads a slot back. */
export const sparseSegments = {
  dense: 0,
  ungated: 1,
  gated: 2,
  predictor: 3,
  nothing: 4,
} as const;

export interface SparseProgram {
  readonly program: Program;
  readonly x: Slot;
  /** Of the predictor: setShare fills it. */
  readonly dial: Slot;
}

export function sparseProgram(shape: SparseShape): SparseProgram {
  const { type, neurons, columns, blocks, hasGates } = shape;
  const builder = createProgramBuilder();
  const x = builder.slot("x", columns);
  const dial = builder.slot("predictor input", columns);
  const y = builder.slot("y", columns);
  const middle = builder.slot("predictor middle", predictorRank);
  const scores = builder.slot("predictor scores", neurons);
  const done = builder.slot("done", 1);
  // 0x11 in every byte: small normal numbers in every type.
  const data = new Uint8Array(neurons * rowBytes(type, columns)).fill(0x11);
  const weight = (name: string, rows: number, width: number): Weight => ({
    name,
    type,
    rows,
    columns: width,
    bytes: { kind: "memory", data },
  });
  const predictor = makePredictor(neurons, columns);
  const method: SparsityMethod = { kind: "mlp", input: dial, ...predictor, threshold: 0 };
  const layers = Array.from({ length: blocks }, (_, layer) => {
    const common = { layer, dim: columns, neurons, activation: { kind: "relu" } } as const;
    const up = weight(`up ${layer}`, neurons, columns);
    const rows = { layout: "rows", weight: weight(`down_t ${layer}`, neurons, columns) } as const;
    const down = weight(`down ${layer}`, columns, neurons);
    const dense: FfnBlock = {
      ...common,
      gating: "ungated",
      up,
      down: { layout: "columns", weight: down },
      method: { kind: "dense" },
    };
    const ungated: FfnBlock = { ...common, gating: "ungated", up, down: rows, method };
    const gate = weight(`gate ${layer}`, neurons, columns);
    const gated: FfnBlock = { ...common, gating: "gated", gate, up, down: rows, method };
    return { dense, ungated, gated };
  });
  const ffn = (block: FfnBlock): Op => ({ kind: "ffn", x, out: y, into: "assign", block });
  const segments = [
    layers.map(({ dense }) => ffn(dense)),
    layers.map(({ ungated }) => ffn(ungated)),
    hasGates ? layers.map(({ gated }) => ffn(gated)) : [],
    layers.flatMap((): Op[] => [
      { kind: "matmul", x: dial, out: middle, into: "assign", weight: predictor.fc1 },
      { kind: "matmul", x: middle, out: scores, into: "assign", weight: predictor.fc2 },
    ]),
  ];
  for (const ops of segments) builder.segment(ops, []);
  builder.segment([], [done]);
  return { program: builder.build({ maxRows: 1 }), x, dial };
}

/** The dial's values for a share of active neurons; another `order` activates other neurons. */
export function dialOf(columns: number, share: number, order: number): Float32Array {
  const dial = new Float32Array(columns);
  dial[0] = share;
  dial[1 + (order % (predictorRank - 1))] = 1;
  return dial;
}

/** score[n] = share − order[k][n], k being the 1 in the input: active are those whose order is below the share. */
function makePredictor(
  neurons: number,
  columns: number,
): { readonly fc1: Weight; readonly fc2: Weight } {
  const random = createRandom(11);
  const fc1 = new Float32Array(predictorRank * columns);
  const fc2 = new Float32Array(neurons * predictorRank);
  for (let r = 0; r < predictorRank; r++) fc1[r * columns + r] = 1;
  for (let r = 1; r < predictorRank; r++) {
    const order = Array.from({ length: neurons }, (_, n) => (n + 0.5) / neurons);
    for (let n = neurons - 1; n > 0; n--) {
      const other = random.integer(n + 1);
      [order[n], order[other]] = [order[other]!, order[n]!];
    }
    for (let n = 0; n < neurons; n++) fc2[n * predictorRank + r] = -order[n]!;
  }
  for (let n = 0; n < neurons; n++) fc2[n * predictorRank] = 1;
  return {
    fc1: halfWeight("fc1", predictorRank, columns, fc1),
    fc2: halfWeight("fc2", neurons, predictorRank, fc2),
  };
}

function halfWeight(name: string, rows: number, columns: number, values: Float32Array): Weight {
  const data = new Uint8Array(rows * columns * 2);
  quantCodec("F16").quantise(values, 0, data, 0, rows * columns);
  return { name, type: "F16", rows, columns, bytes: { kind: "memory", data } };
}
