/**
 * The scales of a synthetic model and, where neurons are to fire with given probabilities, the rows that make them
 * do so and the predictor that knows them. See tensors.ts for the construction.
 */
import { createRandom } from "../../src/core/random.ts";
import { quantCodec } from "../../src/quant/codecs.ts";
import {
  exceededWith,
  neuronProbabilities,
  reluFourthMoment,
  reluSecondMoment,
} from "./activity.ts";
import type { ArrangedOptions } from "./options.ts";
import { type Content, encode } from "./rows.ts";
import { seedOf, typeFor } from "./tensor-values.ts";

/** 32 for each sign: a block of any quantised type is then constant, which all of them store well. */
export const constantChannels = 64;

export interface Scales {
  /** Standard deviations of what enters the residual at its start. */
  readonly token: number;
  readonly position: number;
  readonly attentionOutput: number;
  readonly down: number;
  /** Variance of the residual's random channels before layer l, and what one layer adds. */
  readonly variance: number;
  readonly growth: { readonly attention: number; readonly ffn: number };
}

export interface LayerSparsity {
  /** Rows of the gate (of up, if ungated): neuron r fires with its probability. */
  readonly firingRows: Content;
  readonly predictor?: { readonly fc1: Content; readonly fc2: Content };
}

/** What all blocks of one kind add to the residual's variance, of 1 at the start. */
const addedByAll = { arranged: 0.25, free: 0.5 } as const;
/** Attention averages values of several tokens, so it adds less than its scale allows; about this share. */
const averagingLoss = 0.2;
/** Gate rows are sums of so many latent directions, each with weight ±1/2, so their variance stays. */
const latentsPerRow = 4;

export function scalesOf(options: ArrangedOptions): Scales {
  const { architecture, dim, layers, active } = options;
  const isLearned = architecture.positions.kind === "learned";
  const isTied = architecture.name === "opt";
  // A tied embedding is small, or its own token would always win; then positions carry the variance.
  const token = isTied ? 1 / Math.sqrt(dim) : 1;
  const position = isLearned ? 1 : 0;
  const variance = token ** 2 + position ** 2;
  const added =
    ((active === undefined ? addedByAll.free : addedByAll.arranged) * variance) / layers;
  return {
    token,
    position,
    attentionOutput: Math.sqrt(added / dim),
    down: Math.sqrt(added / hiddenEnergy(options)),
    variance,
    growth: { attention: averagingLoss * added, ffn: added },
  };
}

export function layerSparsity(
  options: ArrangedOptions & { readonly active: number },
  scales: Scales,
  layer: number,
): LayerSparsity {
  const { dim, predictorRank } = options;
  const { attention, ffn } = scales.growth;
  const attentions = options.architecture.parallelResidual ? layer : layer + 1;
  const variance = scales.variance + attentions * attention + layer * ffn;
  const rest = Math.sqrt((dim - constantChannels) * variance);
  const sigma = 1 / Math.sqrt(dim);
  const amplitudes = thresholds(options, layer).map((t) => (t * sigma * rest) / constantChannels);
  if (predictorRank !== undefined) {
    return makeLatent(options, { rank: predictorRank, sigma, layer, amplitudes });
  }
  const prefix = (row: number, target: Float32Array): void =>
    fillConstants(target, -(amplitudes[row] ?? 0));
  const prefixColumns = constantChannels;
  return { firingRows: { kind: "prefixed", sigma, prefixColumns, prefix } };
}

/** The first half of the constant channels hold `value`, the second half its negative. */
export function fillConstants(target: Float32Array, value: number): void {
  const half = constantChannels / 2;
  target.fill(value, 0, half);
  target.fill(-value, half, constantChannels);
}

/** How far above its mean, in standard deviations, a pre-activation must be for the neuron to fire. */
function thresholds(
  options: ArrangedOptions & { readonly active: number },
  layer: number,
): Float64Array {
  const { ffn: neurons, active, skew, seed } = options;
  const random = createRandom(seedOf(seed, `probabilities ${layer}`));
  const probabilities = neuronProbabilities({ neurons, active, skew, random });
  return probabilities.map((p) => exceededWith(needsTwo(options) ? Math.sqrt(p) : p));
}

/** dReLU needs gate and up to be positive: they are independent, unless a predictor must know both. */
function needsTwo(options: ArrangedOptions): boolean {
  return options.architecture.gating === "both" && options.predictorRank === undefined;
}

/** Sum of E[h²] over the neurons of a block, which the scale of the down projection divides out. */
function hiddenEnergy(options: ArrangedOptions): number {
  const { ffn: neurons, active, dim, architecture } = options;
  const { gating } = architecture;
  if (active === undefined) {
    const one = freeMoment[options.activation];
    return neurons * (gating === "both" ? one * one : one);
  }
  // The norm gives the random channels what the constant ones leave of the row's energy.
  const energy = (dim - constantChannels) / dim;
  return thresholds({ ...options, active }, 0).reduce((sum, t) => {
    const second = energy * reluSecondMoment(t);
    const fourth = energy ** 2 * reluFourthMoment(t);
    const one = options.activation === "relu2" ? fourth : second;
    if (gating === "ungated") return sum + one;
    if (gating === "gated") return sum + one * energy;
    return sum + (needsTwo(options) ? one * one : fourth);
  }, 0);
}

/** E[act(z)²] for standard normal z; silu and gelu by numerical integration. */
const freeMoment = { relu: 0.5, relu2: 1.5, silu: 0.356, "gelu-tanh": 0.425 } as const;

interface LatentRequest {
  readonly rank: number;
  readonly sigma: number;
  readonly layer: number;
  readonly amplitudes: Float64Array;
}

function makeLatent(options: ArrangedOptions, request: LatentRequest): LayerSparsity {
  const { dim, seed, ffn: neurons } = options;
  const { rank, amplitudes, layer } = request;
  // A block of constant rows keeps the bias exact in quantised fc2; small ranks cannot spare it.
  const constantRows = rank >= 128 ? 32 : 2;
  const count = Math.floor((rank - constantRows) / 2);
  const mix = makeMix({ neurons, count, seed: seedOf(seed, `mix ${layer}`) });
  // One layer's directions at a time: the tensors of a layer are written one after the other.
  let directions: Float32Array | undefined;
  const latents = (): Float32Array => {
    directions ??= makeDirections(options, { ...request, count });
    return directions;
  };
  return {
    firingRows: {
      kind: "computed",
      fill: (row, target) => {
        target.fill(0);
        for (let term = row * latentsPerRow; term < (row + 1) * latentsPerRow; term++) {
          addScaled(target, {
            from: latents(),
            at: mix.latent[term]! * dim,
            by: mix.weight[term]!,
          });
        }
        fillConstants(target, -amplitudes[row]!);
      },
    },
    predictor: {
      fc1: {
        kind: "computed",
        fill: (row, target) => {
          target.fill(0);
          const index = row - constantRows;
          if (index < 0) fillConstants(target, 1 / constantChannels);
          else if (index < 2 * count) {
            const by = index < count ? 1 : -1;
            addScaled(target, { from: latents(), at: (index % count) * dim, by });
          } else directions = undefined;
          if (row === rank - 1) directions = undefined;
        },
      },
      fc2: {
        kind: "computed",
        fill: (row, target) => {
          target.fill(0);
          target.fill((-constantChannels * amplitudes[row]!) / constantRows, 0, constantRows);
          for (let term = row * latentsPerRow; term < (row + 1) * latentsPerRow; term++) {
            const column = constantRows + mix.latent[term]!;
            target[column]! += mix.weight[term]!;
            target[column + count]! -= mix.weight[term]!;
          }
        },
      },
    },
  };
}

/** Which latent directions a neuron's row is made of, and with which sign. */
function makeMix(request: {
  readonly neurons: number;
  readonly count: number;
  readonly seed: number;
}): { readonly latent: Int32Array; readonly weight: Float32Array } {
  const { neurons, count, seed } = request;
  const random = createRandom(seed);
  const latent = new Int32Array(neurons * latentsPerRow);
  const weight = new Float32Array(latent.length);
  for (let neuron = 0; neuron < neurons; neuron++) {
    const chosen = new Set<number>();
    while (chosen.size < latentsPerRow) chosen.add(random.integer(count));
    for (const [term, index] of [...chosen].entries()) {
      latent[neuron * latentsPerRow + term] = index;
      weight[neuron * latentsPerRow + term] = random.uniform() < 0.5 ? -0.5 : 0.5;
    }
  }
  return { latent, weight };
}

/** [count, dim], as a reader of the file will see them: rounded to the file's type. */
function makeDirections(
  options: ArrangedOptions,
  request: { readonly sigma: number; readonly layer: number; readonly count: number },
): Float32Array {
  const { dim, seed } = options;
  const type = typeFor(options.type, dim);
  const codec = quantCodec(type);
  const blocks = dim / codec.blockElements;
  const bytes = new Uint8Array(blocks * codec.blockBytes);
  const random = createRandom(seedOf(seed, `directions ${request.layer}`));
  const directions = new Float32Array(request.count * dim);
  for (let index = 0; index < request.count; index++) {
    const row = directions.subarray(index * dim, (index + 1) * dim);
    for (let column = constantChannels; column < dim; column++) {
      row[column] = request.sigma * random.normal();
    }
    encode(type, row, bytes, 0);
    codec.dequantise(bytes, 0, row, 0, blocks);
  }
  return directions;
}

function addScaled(
  target: Float32Array,
  source: { readonly from: Float32Array; readonly at: number; readonly by: number },
): void {
  const { from, at, by } = source;
  for (let column = 0; column < target.length; column++) target[column]! += by * from[at + column]!;
}
