/** Small facts that all tensors of a synthetic model share: their type, their seed. */
import { tensorType, type WeightType } from "../../src/core/dtype.ts";

/** The wanted type, or F16 where a row is no whole number of its blocks. */
export function typeFor(wanted: WeightType, columns: number): WeightType {
  return columns % tensorType(wanted).blockElements === 0 ? wanted : "F16";
}

/** A seed of its own for each name, so that a tensor's content does not depend on the others. FNV-1a. */
export function seedOf(seed: number, name: string): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let index = 0; index < name.length; index++) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
