/**
 * What a lowered program consists of: buffers that must exist and kernels that run over them. Plain data, no
 * device: a recording can be made, measured in bytes and counted without one.
 */

import type { WeightType } from "../../core/dtype.ts";
import type { Bytes } from "../../core/units.ts";
import type { WeightBytes } from "../../ops/op.ts";
import type { Work } from "./work.ts";

export type Purpose = "weights" | "kv" | "scratch" | "staging" | "uniform" | "window";

/** Rows that go into a weight buffer, in order: of one file tensor, or of several stacked ones. */
export interface MatrixPart {
  readonly kind: "rows";
  readonly name: string;
  readonly bytes: WeightBytes;
  readonly type: WeightType;
  readonly columns: number;
  readonly firstRow: number;
  readonly rowCount: number;
  /** Only these rows of the tensor (a subset of neurons); replaces firstRow and rowCount. */
  readonly rows?: Uint32Array;
  /** The matrix of one expert, which another one may take the place of. */
  readonly expert?: PlacedExpert;
}

/** The expert at a place of a subset: of any id, where the rows of its matrix lie. */
interface PlacedExpert {
  readonly subset: Uint32Array;
  readonly place: number;
  readonly rowsOf: (id: number) => Pick<MatrixPart, "bytes" | "firstRow">;
}

/** Contents made by a function when uploaded: vectors as f32, tables, gathered columns. */
interface MadePart {
  readonly kind: "made";
  readonly name: string;
  readonly make: () => Uint8Array;
  /** The neurons that the contents are of, where only some of them are. */
  readonly rows?: Uint32Array;
}

export interface BufferSpec {
  readonly label: string;
  readonly bytes: Bytes;
  readonly purpose: Purpose;
  readonly contents: readonly (MatrixPart | MadePart)[];
  /** It is no buffer of its own but the beginning of this window, whenever its contents have been brought there. */
  readonly window?: number;
}

/** A count of workgroups that depends on the step. */
export type Extent =
  | { readonly kind: "fixed"; readonly count: number }
  /** ⌈rows of the step / per⌉, or of its outputs. */
  | { readonly kind: "rows"; readonly per: number }
  | { readonly kind: "outputs"; readonly per: number }
  /** Tiles of pairs of a row and one of the `used` experts that it is routed to: of one expert, `per` to a tile, at most. */
  | ({ readonly kind: "tiles"; readonly of: "rows" | "outputs" } & ExpertTiling)
  /** Parts of the context that attention of a decode step is split into. */
  | { readonly kind: "splits" };

export interface ExpertTiling {
  readonly used: number;
  readonly experts: number;
  readonly per: number;
}

/** When a kernel runs: several of them may be made for one op, of which the step's shape chooses. */
export interface Condition {
  readonly of: "rows" | "outputs";
  readonly min: number;
  readonly max: number;
}

/** "split": decode attention in more than one part. "rows"/"tiles": few rows of a sequence together, or many. */
export type AttentionMode = "rows" | "tiles" | "split";

export interface Binding {
  readonly name: string;
  /** WGSL type of the variable. */
  readonly type: string;
  readonly access: "read" | "read_write" | "uniform";
  readonly buffer: BufferSpec;
}

export interface KernelCall {
  readonly label: string;
  readonly code: string;
  readonly bindings: readonly Binding[];
  readonly groups: readonly [Extent, Extent, Extent];
  readonly when?: Condition;
  readonly attention?: AttentionMode;
  readonly work?: Work;
}

export const one: Extent = { kind: "fixed", count: 1 };

export function fixed(count: number): Extent {
  return { kind: "fixed", count };
}

/** Workgroups of a dimension that WebGPU guarantees. */
export const guaranteedGroups = 65_535;

/**
 * x and z of `count` workgroups, for kernels that number theirs `wg.x + wg.z · wgs.x` (`groupNumber`). Fewer than z more
 * of them run, beyond the count: their results are not stored.
 */
export function foldedGroups(
  count: number,
  { maxGroups }: Pick<ShapeStore, "maxGroups">,
): readonly [x: Extent, z: Extent] {
  const z = Math.ceil(count / maxGroups);
  return [fixed(Math.ceil(count / Math.max(1, z))), fixed(Math.max(1, z))];
}

/** WGSL: parameters of `main` and the workgroup's number, where x and z are folded. */
export const groupNumber = {
  parameters: "@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>",
  code: "let group_number = wg.x + wg.z * wgs.x;",
} as const;

/** The step's rows as every kernel sees them; written once a run. */
export const stepType = "Step";
const stepDeclaration = /* wgsl */ `
struct Step {
  rows: u32,
  outputs: u32,
  splits: u32, // parts of the context in decode attention
  split_length: u32, // positions of a part
  row: array<vec4<u32>>, // (sequence, position, token, outputRow)
}
`;

/** Bytes of the step buffer: a header of four words and four words a row. */
export function stepBytes(maxRows: number, maxOutputs: number): Bytes {
  return 16 + 16 * Math.max(maxRows, maxOutputs);
}

/** Puts the declarations of the bindings in front of a kernel's body. */
export function kernelCall(call: {
  readonly label: string;
  readonly bindings: readonly Binding[];
  readonly body: string;
  /** Fields of the uniform \`shape\`, when one of the bindings is it. */
  readonly shape?: ShapeFields;
  /** What the body may use; default: none. */
  readonly features?: KernelFeatures;
  readonly groups: readonly [Extent, Extent, Extent];
  readonly when?: Condition;
  readonly attention?: AttentionMode;
  readonly work?: Work;
}): KernelCall {
  const { body, bindings, shape: _, features = plainFeatures, ...rest } = call;
  const declared = bindings.map(({ name, type, access }, i) => {
    const space = access === "uniform" ? "uniform" : `storage, ${access}`;
    return `@group(0) @binding(${i}) var<${space}> ${name}: ${type};`;
  });
  const shape = call.shape === undefined ? "" : shapeDeclaration(call.shape);
  const step = bindings.some(({ type }) => type === stepType) ? stepDeclaration : "";
  const enabled = `${features.halves ? "enable f16;\n" : ""}${features.subgroups ? "enable subgroups;\n" : ""}`;
  return { ...rest, bindings, code: `${enabled}${step}${shape}${declared.join("\n")}\n${body}` };
}

export function reads(name: string, type: string, buffer: BufferSpec): Binding {
  return { name, type, access: "read", buffer };
}

export function writes(name: string, type: string, buffer: BufferSpec): Binding {
  return { name, type, access: "read_write", buffer };
}

/**
 * Sizes that a kernel reads from a uniform instead of having them in its source: weights of different shapes, and
 * models, then share a pipeline, and compiling is what a first run waits for.
 */
export type ShapeFields = Readonly<Record<string, number>>;

/** Keeps the contents of uniforms: equal ones are one buffer. */
export interface ShapeStore {
  /**
   * "fixed": inner loops have constant bounds, which drivers unroll into registers. "uniform": bounds come from the
   * uniform, for software drivers that would compile the unrolled code for minutes (LLVM, on lavapipe).
   */
  readonly loops: LoopBounds;
  readonly features: KernelFeatures;
  /** Workgroups of a dimension that the device takes. */
  readonly maxGroups: number;
  shape(fields: ShapeFields): BufferSpec;
}

export type LoopBounds = "fixed" | "uniform";

/** Optional features of the device that kernels have a faster form for; chosen when a program is recorded. */
export interface KernelFeatures {
  /** `subgroups`: threads exchange registers. Their size is known to the running kernel only. */
  readonly subgroups: boolean;
  /** `shader-f16`: halves are a type of their own. */
  readonly halves: boolean;
}

/** The path that runs everywhere. */
export const plainFeatures: KernelFeatures = { subgroups: false, halves: false };

/**
 * WGSL statements for each index below `count`. With fixed bounds they are written out, so that an array indexed
 * by them lies in registers on every driver; else they are a loop that ends at a field of the uniform.
 */
export function repeat(
  store: ShapeStore,
  loop: { readonly index: string; readonly field: string; readonly count: number },
  body: (index: string) => string,
): string {
  const { index, field, count } = loop;
  if (store.loops === "uniform") {
    return `for (var ${index} = 0u; ${index} < shape.${field}; ${index}++) { ${body(index)} }`;
  }
  return [...Array(count).keys()].map((i) => `{ ${body(`${i}u`)} }`).join("\n    ");
}

/** End of an inner loop: its count, or the field of the uniform that holds the count. */
export function loopEnd(store: ShapeStore, field: string, count: number): string {
  return store.loops === "uniform" ? `shape.${field}` : `${count}u`;
}

const shapeType = "Shape";

export function shapeBinding(store: ShapeStore, fields: ShapeFields): Binding {
  return { name: "shape", type: shapeType, access: "uniform", buffer: store.shape(fields) };
}

function shapeDeclaration(fields: ShapeFields): string {
  const members = Object.keys(fields).map((name) => `${name}: u32`);
  return `struct ${shapeType} { ${members.join(", ")} }\n`;
}

/** Elements from one row of a slot to the next: quads of a weight's padding may be read, so rows are padded too. */
export function slotStride(width: number): number {
  return Math.ceil(width / 8) * 8;
}
