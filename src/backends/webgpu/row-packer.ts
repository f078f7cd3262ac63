/** Brings rows into the card's layout: by the addon's threads where there is an addon, else in JavaScript. */
import { cgroupLimits, threadsWithin } from "../../io/cgroup.ts";
import { loadAddon } from "../addon.ts";
import { packingNumbers, packRows, type RowLayout } from "./weight-layout.ts";

/** More threads than memory has bandwidth for help nobody. */
const maxThreads = 8;

interface PackedRows {
  readonly source: Uint8Array;
  /** Of each target row: its row in the source. Rising. */
  readonly places: Uint32Array;
  readonly target: Uint8Array;
}

export interface RowPacker extends Disposable {
  /** Row places[i] of the source becomes row i of the target; the source may be used up. */
  pack(layout: RowLayout, rows: PackedRows): Promise<void>;
}

export function openRowPacker(): RowPacker {
  const loaded = loadAddon();
  if (loaded.kind === "missing") return plainPacker;
  const { addon } = loaded;
  const cores = Math.min(addon.machine().performanceCores, threadsWithin(cgroupLimits().cores));
  const pool = addon.createPool(Math.min(maxThreads, cores), undefined, 0);
  if (pool === undefined) return plainPacker;
  return {
    pack: (layout, { source, places, target }) =>
      addon.packRows(pool.handle, packingNumbers(layout, places.length), source, places, target),
    [Symbol.dispose]: () => addon.disposePool(pool.handle),
  };
}

export const plainPacker: RowPacker = {
  pack: async (layout, { source, places, target }) => {
    const { fileBytes } = layout;
    // Places rise, so that no row is overwritten before it has been moved.
    places.forEach((place, i) => {
      source.copyWithin(i * fileBytes, place * fileBytes, (place + 1) * fileBytes);
    });
    packRows(layout, { source, target, rows: places.length });
  },
  [Symbol.dispose]: () => {},
};
