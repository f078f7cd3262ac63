/**
 * Which neurons change places while nothing runs: cold ones that answers use much, against hot ones of the same layer
 * that they use little. Both groups are equally large, so no device's memory changes. Pure: it takes counts and returns exchanges.
 * docs/decisions/0010-adaptation.md has the rules and what they bring.
 */
import type { FfnCounts, NeuronCounts } from "../../backends/backend.ts";
import { selectLargest } from "../../core/largest-elements.ts";
import type { Pausable } from "../../core/pausable.ts";
import type { Neurons, Tokens } from "../../core/units.ts";
import type { PlanLayer } from "../../placement/plan.ts";
import { NeuronRates } from "./neuron-rates.ts";

export interface AdaptOptions {
  /** The share of all active neurons that the plan expects on the GPU, 0 to 1. */
  readonly expectedShare: number;
  /** By layer, how often each neuron or expert is active as far as it is known: which hot ones to give up first. */
  readonly frequencies?: readonly (Float32Array | undefined)[];
}

/** One swap within a layer: ids of neurons or experts, equally many in both lists. */
export interface Exchange {
  readonly layer: number;
  readonly toGpu: Uint32Array;
  readonly toCpu: Uint32Array;
}

/** Both devices were balanced for the expected share: nothing moves, and no plan is advised, within this of it. */
export const shareMargin = 0.05;
/** Nothing moves before this many tokens were seen since the last exchange. */
export const minTokens: Tokens = 32;
/** Neurons that change places together, at most: those of the planner's groups. */
const groupNeurons: Neurons = 64;
/** In one idle moment: with F16 at dim 4096 six MiB are uploaded, a millisecond or two of a link. */
const maxGroups = 4;
/** How much more active a group must be than the one it replaces: as a share of all tokens, and as a ratio. */
const minGain = 0.02;
const minRatio = 1.25;

interface Layer {
  readonly hot: Set<number>;
  readonly cold: Set<number>;
  readonly rates: NeuronRates;
}

/** `gain`: activity that comes to the GPU, less the activity that leaves it. */
interface RatedExchange extends Exchange {
  readonly gain: number;
}

export class HybridAdapter {
  readonly #expected: number;
  readonly #layers: readonly Layer[];
  /** Active neurons since the last exchange. */
  #active = { gpu: 0, cpu: 0 };
  #tokens: Tokens = 0;
  #exchanged = 0;

  constructor(layers: readonly PlanLayer[], options: AdaptOptions) {
    this.#expected = options.expectedShare;
    this.#layers = layers.map(({ unitCount, parts }, layer) => ({
      hot: new Set(parts.flatMap(({ device, units }) => (device === "cpu" ? [] : [...units]))),
      cold: new Set(parts.flatMap(({ device, units }) => (device === "cpu" ? [...units] : []))),
      rates: new NeuronRates(unitCount, options.frequencies?.[layer]),
    }));
  }

  /** Groups exchanged so far. */
  get exchangedGroups(): number {
    return this.#exchanged;
  }

  /** What a step that writes answers did, on each device. */
  counted(gpu: readonly FfnCounts[], cpu: readonly FfnCounts[], tokens: Tokens): void {
    this.#tokens += tokens;
    for (const { layer, active, rows } of gpu) {
      this.#active.gpu += active;
      this.#layers[layer]?.rates.seenTogether(active, rows);
    }
    for (const { active } of cpu) this.#active.cpu += active;
  }

  /** Counts of single neurons on the CPU. */
  watched(counts: readonly NeuronCounts[]): void {
    for (const { layer, rows, neurons, active } of counts) {
      this.#layers[layer]?.rates.seen(neurons, active, rows);
    }
  }

  /** Whether enough tokens were counted, and the card's share falls short of the share that the plan expects. */
  get isDue(): boolean {
    const { gpu, cpu } = this.#active;
    if (this.#tokens < minTokens || gpu + cpu === 0) return false;
    return gpu / (gpu + cpu) < this.#expected - shareMargin;
  }

  /**
   * The best exchanges, of one group each; none if nothing would be gained. It pauses after each layer: 32 layers of
   * 11008 neurons take 64 ms together.
   */
  *choose(): Pausable<readonly Exchange[]> {
    const found: RatedExchange[] = [];
    for (const [at, layer] of this.#layers.entries()) {
      found.push(...exchangesOf(layer, at));
      yield;
    }
    return found.sort((a, b) => b.gain - a.gain).slice(0, maxGroups);
  }

  /** The exchanges have been made: counting begins anew, rates stay. */
  exchanged(exchanges: readonly Exchange[]): void {
    for (const { layer, toGpu, toCpu } of exchanges) {
      const known = this.#layers[layer];
      if (known === undefined) continue;
      move(toGpu, known.cold, known.hot);
      move(toCpu, known.hot, known.cold);
    }
    this.#exchanged += exchanges.length;
    this.begin();
  }

  /** Counting begins anew. */
  begin(): void {
    this.#tokens = 0;
    this.#active = { gpu: 0, cpu: 0 };
    for (const { rates } of this.#layers) rates.forgetTogether();
  }
}

/** The most active cold neurons against the least active hot ones, group by group while that gains. */
function exchangesOf({ hot, cold, rates }: Layer, layer: number): readonly RatedExchange[] {
  // Half of the smaller side at most: if all neurons changed places, nothing would be chosen.
  const size = Math.min(groupNeurons, Math.floor(Math.min(hot.size, cold.size) / 2));
  if (size === 0) return [];
  const hotRates = rates.ofHot(hot);
  // Of equal ones the higher ids go and the lower ones come.
  const rising = foremost(sorted(hot).reverse(), size, (neuron) => -(hotRates[neuron] ?? 0));
  const falling = foremost(sorted(cold), size, (neuron) => rates.of(neuron));
  const candidates: RatedExchange[] = [];
  for (let group = 0; group < maxGroups; group++) {
    const toGpu = falling.slice(group * size, (group + 1) * size);
    const toCpu = rising.slice(group * size, (group + 1) * size);
    if (toGpu.length < size || toCpu.length < size) break;
    const sum = (of: Uint32Array, rate: (neuron: number) => number): number =>
      of.reduce((all, neuron) => all + rate(neuron), 0);
    const found = sum(toGpu, (neuron) => rates.of(neuron));
    const given = sum(toCpu, (neuron) => hotRates[neuron] ?? 0);
    if (found - given < minGain * size || found < minRatio * given) break;
    candidates.push({ layer, toGpu, toCpu, gain: found - given });
  }
  return candidates;
}

function sorted(neurons: ReadonlySet<number>): Uint32Array {
  return Uint32Array.from(neurons).sort();
}

/** The neurons of the groups that may move, by falling value; equal values keep their order. */
function foremost(
  neurons: Uint32Array,
  size: Neurons,
  value: (neuron: number) => number,
): Uint32Array {
  const count = Math.min(neurons.length, maxGroups * size);
  const found = { indices: new Int32Array(count), values: new Float32Array(count) };
  selectLargest(Float32Array.from(neurons, value), count, found);
  return Uint32Array.from(found.indices, (index) => neurons[index] ?? 0);
}

function move(neurons: Uint32Array, from: Set<number>, to: Set<number>): void {
  for (const neuron of neurons) {
    from.delete(neuron);
    to.add(neuron);
  }
}
