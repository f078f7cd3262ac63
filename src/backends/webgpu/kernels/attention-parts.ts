/**
 * What the attention kernels of few rows and of many share: their buffers, their uniform, and the WGSL of what a row
 * sees, of capped scores and of sinks.
 */
import type { KvCells } from "../../../ops/kv-shape.ts";
import type { OpOf } from "../../../ops/op.ts";
import {
  type Binding,
  type BufferSpec,
  type KernelFeatures,
  reads,
  type ShapeFields,
  type ShapeStore,
  slotStride,
} from "../kernel.ts";
import { floatLiteral, softCapCode } from "./activation.ts";
import { headStride } from "./kv.ts";

/** Scores begin here: below any that is worth a weight, and finite, as WGSL may assume of every value. */
export const lowest = "-1e30";

export interface AttentionBuffers {
  readonly step: BufferSpec;
  readonly shapes: ShapeStore;
  readonly q: BufferSpec;
  readonly keys: BufferSpec;
  readonly values: BufferSpec;
  /** f32 [heads]; absent: none. */
  readonly sinks?: BufferSpec;
  readonly out: BufferSpec;
  /** [row, head, part] of headStride/4 + 1 vec4: the weighted sum, then (maximum, sum, 0, 0). */
  readonly parts: BufferSpec;
}

/** Uniform of the attention kernels; loops over a head end at its `quads`, of a value at `value_quads`. */
export function attentionShape(op: OpOf<"attention">, kv: KvCells): ShapeFields {
  const quads = headStride(kv.keyWidth) / 4;
  const valueQuads = headStride(kv.valueWidth) / 4;
  return {
    quads,
    value_quads: valueQuads,
    heads: op.heads,
    kv_heads: kv.kvHeads,
    cells: kv.cells,
    stride: kv.kvHeads * quads,
    value_stride: kv.kvHeads * valueQuads,
    q_stride: slotStride(op.q.width),
    out_stride: slotStride(op.out.width),
    ...(op.window !== undefined && { window: op.window }),
  };
}

export function sinkBindings({ sinks }: AttentionBuffers): readonly Binding[] {
  return sinks === undefined ? [] : [reads("sinks", "array<f32>", sinks)];
}

/** Declares soft_cap where scores are capped. */
export function capDeclaration({ softCap }: OpOf<"attention">): string {
  return softCap === undefined ? "" : softCapCode(softCap);
}

export function cappedScore({ softCap }: OpOf<"attention">, score: string): string {
  return softCap === undefined ? score : `soft_cap(${score})`;
}

/** The first position that a row at `position` sees. */
export function firstSeenCode({ window }: OpOf<"attention">, position: string): string {
  if (window === undefined) return "0u";
  return `select(0u, ${position} + 1u - shape.window, ${position} >= shape.window)`;
}

/** The cell of a position at which a tile begins. Rings consist of whole tiles, so that the next ones follow it. */
export function cellCode({ window }: OpOf<"attention">, position: string): string {
  return window === undefined ? position : `${position} % shape.cells`;
}

/**
 * top = the largest `top` of `count` neighbouring threads (a power of two): in registers as far as a subgroup
 * reaches, through `partial` beyond it. All threads of the workgroup run it.
 */
export function largestCode(count: number, { subgroups }: KernelFeatures): string {
  if (count === 1) return "";
  const throughMemory = (width: string): string => `partial[t] = top;
    workgroupBarrier();
    for (var i = 0u; i < ${count}u; i += ${width}) { top = max(top, partial[t - t % ${count}u + i]); }`;
  if (!subgroups) return `    ${throughMemory("1u")}`;
  return `    for (var step = 1u; step < min(${count}u, subgroup_threads); step *= 2u) { top = max(top, subgroupShuffleXor(top, step)); }
    if (subgroup_threads < ${count}u) { ${throughMemory("subgroup_threads")} }`;
}

/** WGSL that fills a vec4 with four elements of q times the scale, 0 behind the end of the head. */
export function loadQuery(headDim: number, scale: number, target: string, quad: string): string {
  const element = (e: number): string => {
    const load = `q[q_at + 4u * ${quad} + ${e}u]`;
    return headDim % 4 === 0 ? load : `select(0.0, ${load}, 4u * ${quad} + ${e}u < ${headDim}u)`;
  };
  return `${target} = vec4<f32>(${[0, 1, 2, 3].map(element).join(", ")}) * ${floatLiteral(scale)};`;
}

/** WGSL that stores a quad of a head of the output. */
export function storeQuad(headDim: number, value: string): string {
  return `let result = ${value};
  for (var i = 0u; i < 4u; i++) {
    let e = quad * 4u + i;
    if (e < ${headDim}u) { y[row * shape.out_stride + head * ${headDim}u + e] = result[i]; }
  }`;
}
