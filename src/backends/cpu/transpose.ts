/** W [rows, columns] → Wᵀ [columns, rows] in another type, by the addon's threads: how a down projection becomes rows. */

import { tensorType } from "../../core/dtype.ts";
import { ShapeError } from "../../core/errors.ts";
import type { Weight } from "../../ops/op.ts";
import type { Addon, AddonPool } from "../addon.ts";
import type { MatrixWork } from "../backend.ts";
import type { MappedFiles } from "./mapped-files.ts";
import { nativePlace, rememberNative } from "./native-memory.ts";
import { checkedBytes, typeId } from "./weight-table.ts";

/** @throws ShapeError unless a transposed row is a whole number of blocks. */
export function transposeWeight(
  addon: Addon,
  pool: AddonPool,
  files: MappedFiles,
): MatrixWork["transpose"] {
  return async (weight, type) => {
    const { blockElements } = tensorType(type);
    if (weight.rows % blockElements !== 0) {
      const expected = `rows a multiple of ${blockElements}, to be written as ${type}`;
      throw new ShapeError(weight.name, expected, String(weight.rows));
    }
    const { source, offset, size } = place(weight, files);
    const needed = checkedBytes(weight);
    if (size < needed) throw new ShapeError(weight.name, `${needed} bytes of data`, String(size));
    const memory = await addon.transposeWeight(
      pool.handle,
      source,
      typeId(weight.type),
      weight.rows,
      weight.columns,
      offset,
      typeId(type),
    );
    const { name, rows, columns } = weight;
    return {
      name: `${name} transposed`,
      type,
      rows: columns,
      columns: rows,
      bytes: { kind: "memory", data: rememberNative(memory) },
    };
  };
}

function place(
  { bytes }: Weight,
  files: MappedFiles,
): { readonly source: object; readonly offset: number; readonly size: number } {
  if (bytes.kind === "memory") return { ...nativePlace(bytes.data), size: bytes.data.length };
  const file = files.open(bytes.path);
  return {
    source: file.handle,
    offset: bytes.offset,
    size: Math.min(bytes.bytes, file.bytes - bytes.offset),
  };
}
