/**
 * Top-k on the CPU: not an op of the addon, but one pass of TypeScript over a row that the addon hands out, as a
 * sampler makes it. So it may only end a segment.
 */
import { UnsupportedError } from "../../core/errors.ts";
import { selectLargest } from "../../core/largest-elements.ts";
import { checkProgram } from "../../ops/check-program.ts";
import type { OpOf, Slot } from "../../ops/op.ts";
import type { Program, Segment } from "../../ops/program.ts";

export interface WithoutTopK {
  /** Its segments put out what top-k reads in place of what it writes. */
  readonly program: Program;
  /** By segment. */
  readonly topK: readonly (readonly OpOf<"top-k">[])[];
}

/** @throws ShapeError; UnsupportedError for a top-k that another op follows. */
export function withoutTopK(program: Program): WithoutTopK {
  checkProgram(program);
  const topK = program.segments.map(({ ops }) => ops.filter((op) => op.kind === "top-k"));
  const segments = program.segments.map((segment, i) => cutOff(segment, topK[i] ?? []));
  return { program: { ...program, segments }, topK };
}

function cutOff(segment: Segment, topK: readonly OpOf<"top-k">[]): Segment {
  if (topK.length === 0) return segment;
  const ops = segment.ops.slice(0, -topK.length);
  if (ops.some(({ kind }) => kind === "top-k")) {
    throw new UnsupportedError("top-k within a segment", ["top-k at its end"]);
  }
  const written = new Set(topK.map(({ out }) => out));
  const kept = segment.outputs.filter((slot) => !written.has(slot));
  return { ...segment, ops, outputs: [...new Set([...kept, ...topK.map(({ x }) => x)])] };
}

/** Host copies of what top-k writes. */
export interface TopKOutputs {
  /** Computes an op over its rows `x`. */
  fill(op: OpOf<"top-k">, x: Float32Array): void;
  /** Rows of the last `fill`; undefined for slots of other ops. */
  output(slot: Slot): Float32Array | undefined;
}

export function createTopKOutputs(ops: readonly OpOf<"top-k">[], program: Program): TopKOutputs {
  const most = Math.max(0, ...ops.map(({ out }) => out.width / 2));
  const largest = { indices: new Int32Array(most), values: new Float32Array(most) };
  const filled = new Map<Slot, { readonly whole: Float32Array; rows: number }>(
    ops.map(({ out }) => {
      const rows = out.rows === "step" ? program.maxRows : program.maxOutputs;
      return [out, { whole: new Float32Array(rows * out.width), rows: 0 }];
    }),
  );
  return {
    fill: ({ x: { width }, out }, x) => {
      const copy = filled.get(out);
      if (copy === undefined) return;
      copy.rows = x.length / width;
      const k = out.width / 2;
      for (let row = 0; row < copy.rows; row++) {
        selectLargest(x.subarray(row * width, (row + 1) * width), k, largest);
        for (let i = 0; i < k; i++) {
          copy.whole[row * out.width + 2 * i] = largest.indices[i] ?? 0;
          copy.whole[row * out.width + 2 * i + 1] = largest.values[i] ?? 0;
        }
      }
    },
    output: (slot) => {
      const copy = filled.get(slot);
      return copy?.whole.subarray(0, copy.rows * slot.width);
    },
  };
}
