/**
 * Which experts change places while a model runs: cold ones that its routers choose now, against hot ones of the same layer that
 * they no longer do. A score is the share of tokens that chose the expert, later ones counting more. Pure: it takes routes and
 * returns exchanges; no device's memory changes. docs/decisions/0029-expert-placement.md.
 */
import type { Tokens } from "../core/units.ts";
import type { PlanLayer } from "./plan.ts";

/** One swap within a layer: ids of experts, equally many in both lists. */
interface Exchange {
  readonly layer: number;
  readonly toGpu: Uint32Array;
  readonly toCpu: Uint32Array;
}

/** What is left of a score after a token: tokens count for 64 on average, about a paragraph. */
const momentum = 1 - 1 / 64;
/** Exchanges are looked for so often: their copies are spread over this many tokens. */
const exchangeEvery: Tokens = 32;
/**
 * How much more of the tokens must use a cold expert. Its copy takes as long as two or three reads by the processor (60 GB/s of memory,
 * 25 GB/s of a link), and in the 64 tokens that a score is of, 0.05 are three reads less.
 */
const minGain = 0.05;
/** At once: of 3 MB each (Qwen3-30B-A3B in Q4_K) a link of 25 GB/s copies them in 2 ms. */
const mostExperts = 16;

interface Layer {
  readonly hot: Set<number>;
  readonly cold: Set<number>;
  readonly scores: Float64Array;
}

interface Pair {
  readonly layer: number;
  readonly toGpu: number;
  readonly toCpu: number;
  readonly gain: number;
}

export class ExpertAdapter {
  /** Undefined where one device has all. */
  readonly #layers: readonly (Layer | undefined)[];
  #tokens: Tokens = 0;
  #exchanged = 0;

  /** `frequencies`: by layer, the share of tokens that use each expert, as far as it is known. */
  constructor(layers: readonly PlanLayer[], frequencies: readonly (Float32Array | undefined)[]) {
    this.#layers = layers.map(({ unit, unitCount, parts }, layer) => {
      if (unit !== "expert" || parts.length < 2) return undefined;
      const idsOf = (isCold: boolean): readonly number[] =>
        parts.flatMap(({ device, units }) => ((device === "cpu") === isCold ? [...units] : []));
      const known = frequencies[layer] ?? new Float32Array(unitCount);
      const [hot, cold] = [new Set(idsOf(false)), new Set(idsOf(true))];
      return { hot, cold, scores: Float64Array.from(known) };
    });
  }

  /** Experts that have come to the card so far. */
  get exchangedExperts(): number {
    return this.#exchanged;
  }

  isHot(layer: number, expert: number): boolean {
    return this.#layers[layer]?.hot.has(expert) ?? false;
  }

  /** `routes`: of some tokens of a layer, as the op `route` writes them; each row is `used` ids and their weights. */
  routed(layer: number, routes: Float32Array, used: number): void {
    const scores = this.#layers[layer]?.scores;
    if (scores === undefined) return;
    for (let row = 0; row < routes.length; row += 2 * used) {
      for (let id = 0; id < scores.length; id++) scores[id] = momentum * (scores[id] ?? 0);
      for (let i = 0; i < used; i++) {
        const id = routes[row + i] ?? 0;
        scores[id] = (scores[id] ?? 0) + 1 - momentum;
      }
    }
  }

  /** A step has been routed. Returns whether exchanges are to be looked for. */
  passed(tokens: Tokens): boolean {
    this.#tokens += tokens;
    if (this.#tokens < exchangeEvery) return false;
    this.#tokens = 0;
    return true;
  }

  /** Those that gain most, one exchange for each layer. */
  choose(): readonly Exchange[] {
    const pairs = this.#layers.flatMap((layer, at) => (layer ? pairsOf(layer, at) : []));
    const best = pairs.sort((a, b) => b.gain - a.gain).slice(0, mostExperts);
    return [...new Set(best.map(({ layer }) => layer))].map((layer) => {
      const own = best.filter((pair) => pair.layer === layer);
      const idsOf = (to: "toGpu" | "toCpu"): Uint32Array =>
        Uint32Array.from(own, (pair) => pair[to]);
      return { layer, toGpu: idsOf("toGpu"), toCpu: idsOf("toCpu") };
    });
  }

  /** The exchanges have been made. */
  exchanged(exchanges: readonly Exchange[]): void {
    for (const { layer, toGpu, toCpu } of exchanges) {
      const own = this.#layers[layer];
      if (own === undefined) continue;
      move(toGpu, own.cold, own.hot);
      move(toCpu, own.hot, own.cold);
      this.#exchanged += toGpu.length;
    }
  }
}

/** The best cold expert against the worst hot one, the next against the next, while that gains. */
function pairsOf({ hot, cold, scores }: Layer, layer: number): readonly Pair[] {
  const score = (id: number): number => scores[id] ?? 0;
  const coming = [...cold].sort((a, b) => score(b) - score(a) || a - b);
  const going = [...hot].sort((a, b) => score(a) - score(b) || b - a);
  const pairs: Pair[] = [];
  for (const [i, toGpu] of coming.entries()) {
    const toCpu = going[i];
    if (toCpu === undefined) break;
    const gain = score(toGpu) - score(toCpu);
    if (gain < minGain) break;
    pairs.push({ layer, toGpu, toCpu, gain });
  }
  return pairs;
}

function move(ids: Uint32Array, from: Set<number>, to: Set<number>): void {
  for (const id of ids) {
    from.delete(id);
    to.add(id);
  }
}
