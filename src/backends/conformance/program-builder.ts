/** Builds small programs and their weights for tests: slots, in-memory weights of any type, steps. */
import { tensorType, type WeightType } from "../../core/dtype.ts";
import type { KvShape } from "../../ops/kv-shape.ts";
import type { Op, Slot, Weight } from "../../ops/op.ts";
import { createStep, type Program, type Segment, type Step } from "../../ops/program.ts";
import { quantCodec } from "../../quant/codecs.ts";

export interface ProgramBuilder {
  slot(name: string, width: number, rows?: Slot["rows"]): Slot;
  /** Appends a segment. */
  segment(ops: readonly Op[], outputs: readonly Slot[]): void;
  build(limits: {
    readonly maxRows: number;
    readonly maxOutputs?: number;
    readonly kv?: KvShape;
  }): Program;
}

/** For programs without attention: the smallest cache there is. */
const noKv: KvShape = {
  layers: [{ kind: "full", kvHeads: 1, keyWidth: 1, valueWidth: 1 }],
  contextLength: 1,
  sequences: 1,
  type: "f32",
};

/** A cache whose layers are alike: full, with keys as wide as values. */
export function sameLayers(
  shape: Omit<KvShape, "layers"> & {
    readonly layers: number;
    readonly kvHeads: number;
    readonly headDim: number;
  },
): KvShape {
  const { layers, kvHeads, headDim, ...rest } = shape;
  const layer = { kind: "full", kvHeads, keyWidth: headDim, valueWidth: headDim } as const;
  return { ...rest, layers: Array.from({ length: layers }, () => layer) };
}

export function createProgramBuilder(): ProgramBuilder {
  const slots: Slot[] = [];
  const segments: Segment[] = [];
  return {
    slot: (name, width, rows = "step") => {
      const slot: Slot = { id: slots.length, name, width, rows };
      slots.push(slot);
      return slot;
    },
    segment: (ops, outputs) => {
      segments.push({ name: `segment ${segments.length}`, ops, outputs });
    },
    build: ({ maxRows, maxOutputs = maxRows, kv = noKv }) => ({
      slots,
      segments,
      maxRows,
      maxOutputs,
      kv,
    }),
  };
}

/** A weight in memory holding `values`, quantised to the type. */
export function memoryWeight(
  name: string,
  type: WeightType,
  [rows, columns]: readonly [number, number],
  values: Float32Array,
): Weight {
  const { blockElements, blockBytes } = tensorType(type);
  const blocks = (rows * columns) / blockElements;
  const data = new Uint8Array(blocks * blockBytes);
  quantCodec(type).quantise(values, 0, data, 0, blocks);
  return { name, type, rows, columns, bytes: { kind: "memory", data } };
}

export interface StepRow {
  readonly sequence?: number;
  readonly position?: number;
  readonly token?: number;
}

/** A step of these rows, with room for as many as the program allows; what a row leaves out is 0. */
export function stepOf(
  { maxRows, maxOutputs }: Program,
  rows: readonly StepRow[],
  outputRows: readonly number[] = [],
): Step {
  const step = createStep(maxRows, maxOutputs);
  step.rowCount = rows.length;
  step.outputCount = outputRows.length;
  step.sequence.set(rows.map((row) => row.sequence ?? 0));
  step.position.set(rows.map((row) => row.position ?? 0));
  step.token.set(rows.map((row) => row.token ?? 0));
  step.outputRow.set(outputRows);
  return step;
}
