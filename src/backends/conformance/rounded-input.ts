/** Bounds through roundings to codes: of activations before a product, of keys and values in the cache. */
import type { WeightType } from "../../core/dtype.ts";
import { quantiseActivation } from "../../quant/q8-activation.ts";
import type { InputRounder } from "../reference/state.ts";
import { type Arithmetic, codeSlack, roundoff } from "../tolerance.ts";
import type { Bounded, BoundState } from "./bound-state.ts";

/** The codes of a block of 32 have one scale, in activations as in a q8_0 cache. */
const blockElements = 32;

/** What the reference must read in place of x to expect what a backend of this arithmetic makes of it. */
export function inputRounder(arithmetic: Arithmetic): InputRounder {
  return (type, x) => {
    if (arithmetic.inputRounding(type) !== "int8") return x;
    const { codes, scales } = quantiseActivation(x);
    return Float32Array.from(codes, (code, i) => code * scales[Math.floor(i / blockElements)]!);
  };
}

/** x as a product with a weight of the type reads it. */
export function roundedInput(state: BoundState, type: WeightType, x: Bounded): Bounded {
  if (state.arithmetic.inputRounding(type) === "none") return x;
  const values = state.reference.roundInput(type, x.values);
  return { values, errors: codeErrors(x, { held: values, storedScale: Math.fround }) };
}

/** The range in which the largest |x| of a block lies. */
function blockRange(x: Bounded, block: number): { readonly least: number; readonly most: number } {
  let least = 0;
  let most = 0;
  for (let i = block; i < block + blockElements; i++) {
    const size = Math.abs(x.values[i]!);
    least = Math.max(least, size - x.errors[i]!);
    most = Math.max(most, size + x.errors[i]!);
  }
  return { least, most };
}

/**
 * Of values held as code·storedScale(d), d = largest/127, code = round(x/d). Rounding is monotone: what a backend
 * holds lies between what it would hold at the ends of the ranges of x and d. So nothing is allowed for the rounding
 * itself where x is exact, but a step where the range, or the slack of the quotient, crosses a tie.
 */
export function codeErrors(
  x: Bounded,
  rounding: { readonly held: Float32Array; readonly storedScale: (d: number) => number },
): Float64Array {
  const bounds = new Float64Array(x.values.length);
  for (let block = 0; block < bounds.length; block += blockElements) {
    const { least, most } = blockRange(x, block);
    if (most === 0) continue;
    for (let i = block; i < block + blockElements; i++) {
      const end = (direction: 1 | -1): number =>
        direction *
        heldEnd(direction * x.values[i]! + x.errors[i]!, least, most, rounding.storedScale);
      bounds[i] = Math.max(end(1) - rounding.held[i]!, rounding.held[i]! - end(-1), 0);
    }
  }
  return bounds;
}

/** The most that may be held for an x of at most `value`; a negative one is most at the other ends of the ranges. */
function heldEnd(
  value: number,
  least: number,
  most: number,
  storedScale: (d: number) => number,
): number {
  const [quotientBy, scaledBy] = value >= 0 ? [least, most] : [most, least];
  const quotient = quotientBy === 0 ? 127 : Math.min(127, (value * 127) / quotientBy);
  const code = Math.round(quotient + codeSlack);
  // The division that makes d is off by 2.5 units at worst (WGSL), 5 roundoffs.
  const slack = 5 * roundoff * (value >= 0 ? 1 : -1);
  return code * storedScale((scaledBy / 127) * (1 + slack));
}
