/** One thing that must hold of a program, as data: what was expected and what was found. */

import {
  cellsOf,
  type KvCells,
  type KvLayer,
  type KvShape,
  maxWindow,
  type RecurrentLayer,
  recurrentLayer,
} from "./kv-shape.ts";
import type { PositionFactors, Slot, Weight } from "./op.ts";

export interface Requirement {
  readonly isMet: boolean;
  readonly expected: string;
  readonly found: string;
}

export function requires(isMet: boolean, expected: string, found: string | number): Requirement {
  return { isMet, expected, found: String(found) };
}

export function isMatrix(weight: Weight, [rows, columns]: readonly [number, number]): Requirement {
  const isMet = weight.rows === rows && weight.columns === columns;
  return requires(
    isMet,
    `${weight.name} [${rows}, ${columns}]`,
    `[${weight.rows}, ${weight.columns}]`,
  );
}

/** Met by an absent vector too. */
export function isVector(weight: Weight | undefined, length: number): Requirement {
  return weight === undefined
    ? requires(true, "nothing", "nothing")
    : isMatrix(weight, [1, length]);
}

export function hasColumns(weight: Weight, columns: number): Requirement {
  const isMet = weight.columns === columns;
  return requires(isMet, `${weight.name} of ${columns} columns`, weight.columns);
}

export function hasRowsOf(x: Slot, out: Slot): Requirement {
  return requires(x.rows === out.rows, `out with rows as x, ${x.rows}`, out.rows);
}

/** Of the same width and the same rows. */
export function isLike(x: Slot, out: Slot): readonly Requirement[] {
  return [
    hasRowsOf(x, out),
    requires(x.width === out.width, `${out.name} of width ${x.width}`, out.width),
  ];
}

/** Tokens and positions are those of the step's rows, so what depends on them has these rows. */
export function isOfStep(name: string, slot: Slot): Requirement {
  return requires(slot.rows === "step", `${name} with the rows of the step`, slot.rows);
}

/** What must hold of an op on the keys and values of a layer: that the layer has them, then what `check` says of them. */
export function ofCells(
  kv: KvShape,
  layer: number,
  check: (cells: KvCells) => readonly Requirement[],
): readonly Requirement[] {
  const cells = cellsOf(kv, layer);
  const hasCells = isLayer(kv, layer, "a layer with keys and values", cells !== undefined);
  return cells === undefined ? [hasCells] : [hasCells, ...check(cells)];
}

/** As ofCells, of an op on the state of a layer. */
export function ofState(
  kv: KvShape,
  layer: number,
  check: (state: RecurrentLayer) => readonly Requirement[],
): readonly Requirement[] {
  const state = recurrentLayer(kv, layer);
  const hasState = isLayer(kv, layer, "a recurrent layer", state !== undefined);
  return state === undefined ? [hasState] : [hasState, ...check(state)];
}

function isLayer(kv: KvShape, layer: number, expected: string, isMet: boolean): Requirement {
  const own = kv.layers[layer];
  const found = own === undefined ? `layer ${layer} of a cache of ${kv.layers.length}` : own.kind;
  return requires(isMet, expected, found);
}

/** Factors for every position of the context. */
export function positionRequirements(
  x: Slot,
  { length, factors }: PositionFactors,
  kv: KvShape,
): readonly Requirement[] {
  const needed = Math.ceil(kv.contextLength / length);
  return [
    isOfStep("x", x),
    requires(Number.isInteger(length) && length > 0, "stretches of whole positions", length),
    requires(factors.length >= needed, `${needed} factors`, factors.length),
  ];
}

/** A window layer has forgotten what lies before its window. */
export function seesHeld(layer: KvLayer | undefined, window: number | undefined): Requirement {
  const most = layer?.kind === "window" ? layer.window : maxWindow;
  const isNone = window === undefined && layer?.kind !== "window";
  const isHeld = window !== undefined && Number.isInteger(window) && window >= 1 && window <= most;
  return requires(isNone || isHeld, `a window from 1 to ${most}`, String(window));
}

export function isCap(softCap: number | undefined): boolean {
  return softCap === undefined || (softCap > 0 && softCap < Number.POSITIVE_INFINITY);
}

/** Of what is computed of `count` neurons or experts. */
export function subsetRequirement(
  subset: Uint32Array | undefined,
  what: "neuron" | "expert",
  count: number,
): Requirement {
  if (subset === undefined) return requires(true, "nothing", "nothing");
  const isRising = subset.every((id, i) => id < count && (i === 0 || id > (subset[i - 1] ?? id)));
  return requires(
    isRising,
    `rising ${what} ids below ${count}`,
    `${subset.slice(0, 8).join(", ")}…`,
  );
}
