/** Small programs that exercise one thing on a backend, and the median of how long they take. */

import type { Backend } from "../../backends/backend.ts";
import { rowBytes, type WeightType } from "../../core/dtype.ts";
import { median } from "../../core/numbers.ts";
import type { Op, Slot, Weight } from "../../ops/op.ts";
import { createStep, type Program, type Segment } from "../../ops/program.ts";

export type ProbeKind =
  | { readonly kind: "nothing" }
  /** One product of a matrix with a vector, or with so many; or of several matrices, one behind the other. */
  | {
      readonly kind: "product";
      readonly type: WeightType;
      readonly rows: number;
      readonly columns: number;
      readonly vectors?: number;
      readonly matrices?: number;
      /** Large enough for all matrices; it is mapped. Default: memory of their own, which is read faster (larger pages). */
      readonly file?: string;
    }
  /** Sums of short vectors, one behind the other. */
  | { readonly kind: "small ops"; readonly count: number; readonly width: number }
  /** A vector to the device, and one back. */
  | { readonly kind: "upload" | "download"; readonly width: number };

export interface Probe extends Disposable {
  /** Resolves when the device has done it. */
  run(): Promise<void>;
}

export async function createProbe(backend: Backend, probe: ProbeKind): Promise<Probe> {
  const done: Slot = { id: 0, name: "done", width: 1, rows: "step" };
  const { ops, slots, outputs } = workOf(probe);
  const vectors = probe.kind === "product" ? (probe.vectors ?? 1) : 1;
  const work: Segment = { name: "work", ops, outputs };
  const read: Segment = { name: "read", ops: [], outputs: [done] };
  const program: Program = {
    slots: [done, ...slots],
    kv: { layers: [], contextLength: 1, sequences: 1, type: "f32" },
    segments: [work, read],
    maxRows: vectors,
    maxOutputs: 1,
  };
  const executable = await backend.compile(program);
  const step = createStep(vectors, 1);
  step.rowCount = vectors;
  const [first] = slots;
  const data = new Float32Array(first?.width ?? 0);
  return {
    run: async () => {
      if (probe.kind === "upload" && first !== undefined) executable.write(first, data);
      const worked = executable.run(0, step);
      // The last read-back arrives when all the work before it is done.
      await Promise.all([worked, executable.run(1, step)]);
    },
    [Symbol.dispose]: () => executable[Symbol.dispose](),
  };
}

/** Median of five runs after one that is not counted. */
export async function medianSeconds(run: () => Promise<void>, runs = 5): Promise<number> {
  await run();
  const seconds: number[] = [];
  for (let i = 0; i < runs; i++) {
    const startedAt = performance.now();
    await run();
    seconds.push((performance.now() - startedAt) / 1000);
  }
  return median(seconds);
}

interface Work {
  readonly ops: readonly Op[];
  readonly slots: readonly Slot[];
  readonly outputs: readonly Slot[];
}

function workOf(probe: ProbeKind): Work {
  switch (probe.kind) {
    case "nothing":
      return { ops: [], slots: [], outputs: [] };
    case "product": {
      const x = slot(1, probe.columns);
      const out = slot(2, probe.rows);
      const weights = Array.from({ length: probe.matrices ?? 1 }, (_, i) => filledWeight(probe, i));
      return {
        ops: weights.map((weight) => ({ kind: "matmul", x, out, into: "assign", weight })),
        slots: [x, out],
        outputs: [],
      };
    }
    case "small ops": {
      const x = slot(1, probe.width);
      const out = slot(2, probe.width);
      const ops = Array.from({ length: probe.count }, (): Op => ({ kind: "add", x, out }));
      return { ops, slots: [x, out], outputs: [] };
    }
    case "upload":
      return { ops: [], slots: [slot(1, probe.width)], outputs: [] };
    case "download": {
      const x = slot(1, probe.width);
      return { ops: [], slots: [x], outputs: [x] };
    }
    default:
      return probe satisfies never;
  }
}

function slot(id: number, width: number): Slot {
  return { id, name: `probe ${id}`, width, rows: "step" };
}

/** A small normal number in every type when it is repeated: 0x1111 is 6.5e-4 as f16, 0x11111111 is 1.1e-28 as f32. */
export const probeByte = 0x11;

function filledWeight(
  of: {
    readonly type: WeightType;
    readonly rows: number;
    readonly columns: number;
    readonly file?: string;
  },
  index: number,
): Weight {
  const { type, rows, columns, file } = of;
  const bytes = rows * rowBytes(type, columns);
  const name = `probe ${type} ${index}`;
  if (file !== undefined) {
    return {
      name,
      type,
      rows,
      columns,
      bytes: { kind: "file", path: file, offset: index * bytes, bytes },
    };
  }
  const data = new Uint8Array(bytes).fill(probeByte);
  return { name, type, rows, columns, bytes: { kind: "memory", data } };
}
