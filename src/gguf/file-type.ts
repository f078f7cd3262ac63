/**
 * What people call the precision of a file: "Q4_K_M". Files say it by number (`general.file_type`); the types of their
 * tensors are another matter, of which a mix has several. Source: llama.h, llama_ftype.
 */
import { weightFormat, weightTypes } from "../core/dtype.ts";
import type { Metadata } from "./metadata.ts";
import type { TensorInfo } from "./tensor-info.ts";

/** Mixes: their matrices are not all of the type that the name begins with. */
const mixes: readonly (readonly [number, string])[] = [
  [11, "Q3_K_S"],
  [12, "Q3_K_M"],
  [13, "Q3_K_L"],
  [14, "Q4_K_S"],
  [15, "Q4_K_M"],
  [16, "Q5_K_S"],
  [17, "Q5_K_M"],
  [21, "Q2_K_S"],
  [22, "IQ3_XS"],
  [27, "IQ3_M"],
  [29, "IQ2_M"],
];

const names: ReadonlyMap<number, string> = new Map([
  ...weightTypes.map((type) => [weightFormat(type).fileType, type] as const),
  ...mixes,
]);

/** The name by the file's own number; where it has none, the type of the most bytes of tensors; "" without either. */
export function fileTypeName(metadata: Metadata, tensors: Iterable<TensorInfo>): string {
  const stated = names.get(metadata.optionalNumber("general.file_type") ?? -1);
  if (stated !== undefined) return stated;
  const bytesOf = new Map<string, number>();
  for (const { type, bytes } of tensors) bytesOf.set(type, (bytesOf.get(type) ?? 0) + bytes);
  const [most] = [...bytesOf].sort(([, a], [, b]) => b - a);
  return most?.[0] ?? "";
}
