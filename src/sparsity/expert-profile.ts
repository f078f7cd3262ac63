/**
 * Which experts the routers of a model chose over texts: how often each, with what weight, and how soon again; beside what a
 * router would do that chooses all alike (the null), for a few tokens make any counts look skewed.
 */
import { createRandom } from "../core/random.ts";
import type { Tokens } from "../core/units.ts";

export interface ExpertUse {
  readonly layer: number;
  /** Experts that a token uses. */
  readonly used: number;
  /** Tokens counted. */
  readonly tokens: Tokens;
  /** For how many tokens each expert was chosen. [experts] */
  readonly counts: Float64Array;
  /** Sum of the weights that it was chosen with. [experts] */
  readonly weights: Float64Array;
  /** reuse[d]: how often an expert was chosen again d tokens after its last choice in the text; the last entry: later. */
  readonly reuse: Float64Array;
}

/** What is kept of it in a sidecar: which experts are hot. */
export interface ExpertCounts {
  /** Tokens counted. */
  readonly tokens: Tokens;
  /** The texts that were read. */
  readonly corpora: readonly { readonly name: string; readonly hash: string }[];
  /** By layer; undefined: it has no experts. */
  readonly layers: readonly (Pick<ExpertUse, "counts" | "weights"> | undefined)[];
}

/** By layer, the share of tokens that use each expert; of a layer without experts undefined. Empty where nothing was counted. */
export function frequenciesOf(
  experts: ExpertCounts | undefined,
): readonly (Float32Array | undefined)[] {
  const { tokens = 0, layers = [] } = experts ?? {};
  if (tokens === 0) return [];
  return layers.map((own) => own && Float32Array.from(own.counts, (count) => count / tokens));
}

/** Longer distances are counted together. */
const reuseLimit = 256;

/** Counts the routes of one layer, token after token. */
export class ExpertCounter {
  readonly #layer: number;
  readonly #used: number;
  readonly #counts: Float64Array;
  readonly #weights: Float64Array;
  readonly #reuse = new Float64Array(reuseLimit + 1);
  /** Token of the last choice of each expert; −1: not yet in this text. */
  readonly #last: Int32Array;
  #tokens = 0;

  constructor(of: { readonly layer: number; readonly experts: number; readonly used: number }) {
    this.#layer = of.layer;
    this.#used = of.used;
    this.#counts = new Float64Array(of.experts);
    this.#weights = new Float64Array(of.experts);
    this.#last = new Int32Array(of.experts).fill(-1);
  }

  /** Another text: no expert was chosen in it before. */
  beginText(): void {
    this.#last.fill(-1);
  }

  /** `routes`: as the op `route` writes them, ids then weights for each row; rows are consecutive tokens. */
  add(routes: Float32Array, rows: number): void {
    const width = 2 * this.#used;
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < this.#used; i++) {
        const expert = routes[row * width + i] ?? 0;
        this.#choose(expert, routes[row * width + this.#used + i] ?? 0);
      }
      this.#tokens++;
    }
  }

  get use(): ExpertUse {
    return {
      layer: this.#layer,
      used: this.#used,
      tokens: this.#tokens,
      counts: this.#counts,
      weights: this.#weights,
      reuse: this.#reuse,
    };
  }

  #choose(expert: number, weight: number): void {
    const last = this.#last[expert] ?? -1;
    if (last >= 0) {
      const distance = Math.min(this.#tokens - last, reuseLimit);
      this.#reuse[distance] = (this.#reuse[distance] ?? 0) + 1;
    }
    this.#last[expert] = this.#tokens;
    this.#counts[expert] = (this.#counts[expert] ?? 0) + 1;
    this.#weights[expert] = (this.#weights[expert] ?? 0) + weight;
  }
}

/** Share of all choices that the most used experts make, those being this share of the experts (rounded up). */
export function hottestShare(counts: Float64Array, share: number): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const sorted = counts.toSorted().reverse();
  const hottest = sorted.slice(0, Math.ceil(share * counts.length));
  return total === 0 ? 0 : hottest.reduce((sum, count) => sum + count, 0) / total;
}

/** The distance in tokens that half of the repeated choices do not pass; undefined where no expert was chosen again. */
export function medianReuse({ reuse }: Pick<ExpertUse, "reuse">): number | undefined {
  const total = reuse.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (const [distance, count] of reuse.entries()) {
    seen += count;
    if (total > 0 && 2 * seen >= total) return distance;
  }
  return undefined;
}

/** Tokens that are drawn for a null: with more, its counts hardly differ. */
const mostDrawn = 20_000;

/** The same layer with a router that chooses all alike: other experts for each token, drawn by chance. */
export function uniformUse({ layer, used, tokens, counts }: ExpertUse): ExpertUse {
  const experts = counts.length;
  const counter = new ExpertCounter({ layer, experts, used });
  const random = createRandom(layer + 1);
  const ids = Array.from({ length: experts }, (_, id) => id);
  const routes = new Float32Array(2 * used).fill(1 / used, used);
  for (let token = 0; token < Math.min(tokens, mostDrawn); token++) {
    for (let i = 0; i < used; i++) {
      const at = i + random.integer(experts - i);
      const id = ids[at] ?? 0;
      ids[at] = ids[i] ?? 0;
      ids[i] = id;
      routes[i] = id;
    }
    counter.add(routes, 1);
  }
  return counter.use;
}
