/** Factors by which some architectures multiply rows between their matrices. */

export interface Scales {
  /** Multiplies a token's embedding. */
  readonly embedding: number;
  /** Multiplies what attention and FFN add to the residual. */
  readonly residual: number;
  /** Multiplies the logits. */
  readonly logits: number;
  /** Logits l become cap·tanh(l / cap); absent: they stay. */
  readonly logitCap?: number;
  /** Queries grow with their position; absent: they do not. */
  readonly queries?: QueryScale;
}

/** A query at a position is multiplied by 1 + growth·ln(1 + ⌊position / length⌋). */
export interface QueryScale {
  readonly length: number;
  readonly growth: number;
}

/** Of most architectures. */
export const noScales: Scales = { embedding: 1, residual: 1, logits: 1 };

/** The factor of each stretch of `length` positions of a context. */
export function queryFactors({ length, growth }: QueryScale, contextLength: number): Float32Array {
  const stretches = Math.ceil(contextLength / length);
  return Float32Array.from({ length: stretches }, (_, at) => 1 + growth * Math.log(1 + at));
}
