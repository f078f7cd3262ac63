/**
 * The angle per position of each rotated pair, with the model's scaling worked in; a rope op only multiplies.
 * Sources: RoFormer (2104.09864) §3.2; YaRN (2309.00071) §3.2 with llama.cpp's corrections (ggml_rope_yarn).
 */
import type { RopeParameters, RopeScaling } from "./hyperparameters.ts";

export interface RopeTable {
  /** [dims / 2], radians per position. */
  readonly frequencies: Float32Array;
  /** Multiplies cos and sin. */
  readonly magnitude: number;
}

/** Divisors of the frequencies, [dims / 2] each: Llama 3's are the same in every context, longrope has two lists. */
export interface RopeFactors {
  /** In a context up to the original one. */
  readonly short?: Float32Array;
  /** In a longer one. */
  readonly long?: Float32Array;
}

/** `factors` [dims / 2] divide the frequencies: see RopeFactors. */
export function ropeTable(rope: RopeParameters, factors?: Float32Array): RopeTable {
  const frequencies = new Float32Array(rope.dims / 2);
  for (let pair = 0; pair < frequencies.length; pair++) {
    const trained = rope.base ** ((-2 * pair) / rope.dims) / (factors?.[pair] ?? 1);
    frequencies[pair] = scaledFrequency(trained, pair, rope);
  }
  return { frequencies, magnitude: magnitudeOf(rope) };
}

function scaledFrequency(trained: number, pair: number, rope: RopeParameters): number {
  const { scaling } = rope;
  switch (scaling.kind) {
    case "none":
      return trained;
    case "linear":
    case "longrope":
      return trained / scaling.factor;
    case "yarn": {
      const [low, high] = correctionRange(rope, scaling);
      const ramp = (pair - low) / Math.max(0.001, high - low);
      const extrapolated = 1 - Math.min(1, Math.max(0, ramp));
      return trained * extrapolated + (trained / scaling.factor) * (1 - extrapolated);
    }
    default:
      return scaling satisfies never;
  }
}

/** The pairs between which YaRN goes over from the trained to the stretched frequency. */
function correctionRange(
  rope: RopeParameters,
  scaling: Extract<RopeScaling, { kind: "yarn" }>,
): readonly [number, number] {
  const pairTurning = (turns: number): number =>
    (rope.dims * Math.log(scaling.originalContext / (turns * 2 * Math.PI))) /
    (2 * Math.log(rope.base));
  const low = Math.max(0, Math.floor(pairTurning(scaling.betaFast)));
  const high = Math.min(rope.dims - 1, Math.ceil(pairTurning(scaling.betaSlow)));
  return [low, high];
}

/** YaRN raises it for contexts longer than the trained one; for shorter ones llama.cpp leaves it as it is. */
function magnitudeOf({ scaling, attentionFactor }: RopeParameters): number {
  if (scaling.kind !== "yarn" || scaling.factor <= 1) return attentionFactor;
  const raised = (weight: number): number => 1 + 0.1 * weight * Math.log(scaling.factor);
  return (attentionFactor * raised(1)) / raised(scaling.logMultiplier ?? 0);
}
