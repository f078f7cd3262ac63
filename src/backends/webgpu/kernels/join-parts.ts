/**
 * y [m, dim] = Σ over parts of sums [m, parts, dim]: the second pass of a product whose sum was cut into parts so that
 * it fills the card. A thread adds up one column, part after part: the order never depends on timing.
 */
import {
  type BufferSpec,
  type Condition,
  fixed,
  type KernelCall,
  kernelCall,
  one,
  reads,
  type ShapeStore,
  shapeBinding,
  slotStride,
} from "../kernel.ts";
import { type Epilogue, epilogueBindings, epilogueCode, epilogueShape } from "./epilogue.ts";

/** Where a product's parts meet. */
export interface PartialSums {
  /** f32 [rows, parts, slotStride(dim)]. */
  readonly buffer: BufferSpec;
  readonly parts: number;
  readonly dim: number;
  /** Row of the stacked weight that gives the first column. Default 0. */
  readonly firstRow?: number;
}

export function partialBytes(
  rows: number,
  { parts, dim }: Pick<PartialSums, "parts" | "dim">,
): number {
  return rows * parts * slotStride(dim) * 4;
}

export function joinParts(
  label: string,
  {
    sums,
    epilogue,
    shapes,
    of,
    when,
  }: {
    readonly sums: PartialSums;
    readonly epilogue: Epilogue;
    readonly shapes: ShapeStore;
    readonly of: "rows" | "outputs";
    readonly when?: Condition;
  },
): KernelCall {
  const { buffer, parts, dim, firstRow = 0 } = sums;
  const shape = {
    parts,
    dim,
    stride: slotStride(dim),
    first_row: firstRow,
    ...epilogueShape(epilogue),
  };
  return kernelCall({
    label: `${label} join`,
    shape,
    bindings: [
      shapeBinding(shapes, shape),
      reads("sums", "array<f32>", buffer),
      ...epilogueBindings(epilogue),
    ],
    groups: [fixed(Math.ceil(dim / 64)), { kind: of, per: 1 }, one],
    ...(when && { when }),
    body: /* wgsl */ `${epilogueCode(epilogue)}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= shape.dim) { return; }
  var sum = 0.0;
  for (var part = 0u; part < shape.parts; part++) { sum += sums[(id.y * shape.parts + part) * shape.stride + id.x]; }
  store(id.x + shape.first_row, id.y, sum);
}
`,
  });
}
