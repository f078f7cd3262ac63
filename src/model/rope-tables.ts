/** Which angles each layer of a model rotates by, in a context of a given length. */
import type { RopeParameters } from "./hyperparameters.ts";
import type { Model } from "./model.ts";
import { type RopeTable, ropeTable } from "./rope-frequencies.ts";

/**
 * The table of a layer; undefined where nothing is rotated. Layers with the same parameters share it. The context that
 * the model is opened with chooses the factors, however few tokens it holds then, as in llama.cpp.
 */
export function ropeTables(
  { architecture, hyperparameters: shape, ropeFactors }: Model,
  contextLength: number,
): (layer: number) => RopeTable | undefined {
  const { positions } = architecture;
  if (positions.kind !== "rope") return () => undefined;
  const tables = new Map<RopeParameters, RopeTable>();
  return (layer) => {
    const rope = positions.of === undefined ? shape.rope : positions.of(layer, shape);
    if (rope === undefined || rope.dims === 0) return undefined;
    const { short, long } = rope.ignoresFactors ? {} : ropeFactors;
    const table =
      tables.get(rope) ?? ropeTable(rope, contextLength > rope.originalContext ? long : short);
    tables.set(rope, table);
    return table;
  };
}
