/** Adam with decoupled weight decay (Loshchilov and Hutter, 2019), one matrix at a time. */

export interface AdamSettings {
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Decay of the mean of gradients and of their squares. */
  readonly beta1: number;
  readonly beta2: number;
}

/** A matrix with what Adam remembers of its gradients. */
export interface Trained {
  readonly weights: Float32Array;
  readonly gradient: Float32Array;
  readonly mean: Float32Array;
  readonly square: Float32Array;
}

const epsilon = 1e-8;

/** Takes `weights` over. */
export function createTrained(weights: Float32Array): Trained {
  const { length } = weights;
  return {
    weights,
    gradient: new Float32Array(length),
    mean: new Float32Array(length),
    square: new Float32Array(length),
  };
}

/** `step` counts from 1. */
export function descend(trained: Trained, adam: AdamSettings, step: number): void {
  const { weights, gradient, mean, square } = trained;
  const { learningRate, weightDecay, beta1, beta2 } = adam;
  const meanScale = 1 / (1 - beta1 ** step);
  const squareScale = 1 / (1 - beta2 ** step);
  const keep = 1 - learningRate * weightDecay;
  for (let i = 0; i < weights.length; i++) {
    const slope = gradient[i] ?? 0;
    const m = beta1 * (mean[i] ?? 0) + (1 - beta1) * slope;
    const v = beta2 * (square[i] ?? 0) + (1 - beta2) * slope * slope;
    mean[i] = m;
    square[i] = v;
    const change = (learningRate * m * meanScale) / (Math.sqrt(v * squareScale) + epsilon);
    weights[i] = keep * (weights[i] ?? 0) - change;
  }
}

/** Falls from `highest` to 0 by half a cosine; `done` of the whole, 0…1. */
export function cosineRate(highest: number, done: number): number {
  return 0.5 * highest * (1 + Math.cos(Math.PI * done));
}
