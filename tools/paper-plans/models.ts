/**
 * The paper's models as it describes them: published shapes, its sparsity (Tables 1 and 3), its power laws (Fig. 4, one block)
 * and its predictors' sizes (Table 6).
 */

export interface PaperModel {
  readonly name: string;
  readonly architecture: "opt" | "falcon" | "llama" | "bamboo";
  readonly layers: number;
  readonly dim: number;
  readonly ffn: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly vocabulary: number;
  /** Mean share of neurons that fire. */
  readonly active: number;
  /** Share of a block's neurons that make 80 % of its activations. */
  readonly hotShare: number;
  /** Parameters of all predictors as the paper gives them, or as its mean of 7.09 % where it gives none. */
  readonly predictorParameters: number;
}

const relu = { hotShare: 0.26 } as const;
/** Fig. 4's curve of LLaMA2(ReGLU)-70B; Bamboo has none in the paper and is taken to be no more skewed. */
const reglu = { hotShare: 0.43 } as const;

export const paperModels: readonly PaperModel[] = [
  {
    name: "OPT-13B",
    architecture: "opt",
    ...{ layers: 40, dim: 5120, ffn: 20480, heads: 40, kvHeads: 40, vocabulary: 50272 },
    ...relu,
    active: 0.03,
    predictorParameters: 0.88e9,
  },
  {
    name: "OPT-30B",
    architecture: "opt",
    ...{ layers: 48, dim: 7168, ffn: 28672, heads: 56, kvHeads: 56, vocabulary: 50272 },
    ...relu,
    active: 0.03,
    // Not in Table 6; between OPT-13B's 6.71 % and OPT-66B's 4.88 %.
    predictorParameters: 0.058 * 30e9,
  },
  {
    name: "OPT-66B",
    architecture: "opt",
    ...{ layers: 64, dim: 9216, ffn: 36864, heads: 72, kvHeads: 72, vocabulary: 50272 },
    ...relu,
    active: 0.03,
    predictorParameters: 3.23e9,
  },
  {
    name: "Falcon(ReLU)-40B",
    architecture: "falcon",
    ...{ layers: 60, dim: 8192, ffn: 32768, heads: 128, kvHeads: 8, vocabulary: 65024 },
    ...relu,
    active: 0.05,
    predictorParameters: 3.63e9,
  },
  {
    name: "LLaMA2(ReGLU)-13B",
    architecture: "llama",
    ...{ layers: 40, dim: 5120, ffn: 13824, heads: 40, kvHeads: 40, vocabulary: 32000 },
    ...reglu,
    active: 0.22,
    predictorParameters: 0.0709 * 13e9,
  },
  {
    name: "LLaMA2(ReGLU)-70B",
    architecture: "llama",
    ...{ layers: 80, dim: 8192, ffn: 28672, heads: 64, kvHeads: 8, vocabulary: 32000 },
    ...reglu,
    active: 0.18,
    predictorParameters: 5.66e9,
  },
  {
    name: "Bamboo-7B",
    architecture: "bamboo",
    ...{ layers: 32, dim: 4096, ffn: 14336, heads: 32, kvHeads: 8, vocabulary: 32000 },
    ...reglu,
    active: 0.1,
    predictorParameters: 0.0709 * 7.2e9,
  },
  {
    name: "OPT-175B",
    architecture: "opt",
    ...{ layers: 96, dim: 12288, ffn: 49152, heads: 96, kvHeads: 96, vocabulary: 50272 },
    ...relu,
    active: 0.03,
    predictorParameters: 0.05 * 175e9,
  },
];

/** Whole blocks of 32 columns, so that INT4 has the same rank. */
export function predictorRank({ predictorParameters, layers, dim, ffn }: PaperModel): number {
  return Math.max(32, Math.round(predictorParameters / (layers * (dim + ffn)) / 32) * 32);
}

/**
 * How often each neuron of a block fires, most often first: min(1, c·rank^-α), of which the mean is `active` and the first
 * `hotShare` make 80 %.
 */
export function firingRates({ ffn, active, hotShare }: PaperModel): Float64Array {
  const top = Math.round(hotShare * ffn);
  const of = (exponent: number): Float64Array => {
    const shape = Float64Array.from({ length: ffn }, (_, i) => (i + 1) ** -exponent);
    // A larger factor always gives a larger sum, as far as rates are below 1.
    const ratesAt = (log: number): Float64Array =>
      shape.map((rate) => Math.min(1, Math.exp(log) * rate));
    return ratesAt(bisect(-30, 60, (log) => mean(ratesAt(log)) >= active));
  };
  const exponent = bisect(0, 4, (alpha) => {
    const rates = of(alpha);
    return mean(rates.subarray(0, top)) * top >= 0.8 * mean(rates) * ffn;
  });
  return of(exponent);
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The least value that is enough, to a part in 2^40 of the interval. */
function bisect(low: number, high: number, isEnough: (value: number) => boolean): number {
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    if (isEnough(middle)) high = middle;
    else low = middle;
  }
  return high;
}
