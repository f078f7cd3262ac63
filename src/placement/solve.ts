/**
 * The exact placement solver: which layers have attention on the GPU, and how many groups of each are hot.
 * A multiple-choice knapsack (docs/decisions/0003-placement-solver.md): layers are added last to first, so one pass
 * serves every suffix of layers and every budget. Layers that share a unit of bytes share a table; tables are merged.
 */
import { OptionError } from "../core/errors.ts";
import type { Bytes } from "../core/units.ts";
import { byteUnit, type Front, greatestCommonDivisor, lastWithin, paretoFront } from "./front.ts";
import {
  costTolerance,
  frontWithin,
  type MergeBound,
  type MergeFront,
  type MergePicks,
  type MergeWork,
  mergeBound,
  mergeFront,
  mergeFronts,
  mergeImproved,
  mergeRounded,
  mergeWork,
} from "./front-merge.ts";
import type { LayerProblem } from "./layer-problem.ts";
import { LayerTable } from "./layer-table.ts";
import type { PlacementProblem } from "./problem.ts";
import {
  type Configuration,
  choiceCount,
  choiceOf,
  configurations,
  eligibleConfigurations,
  type PlacementChoice,
  placedChoices,
  type Solution,
  solutionOf,
} from "./solution.ts";

/**
 * Units of a table, at most: a layer then costs some ten million steps. 80 layers of 448 equal groups are 35 840,
 * and a last group that is not full makes them at most 32 times finer.
 */
const tableUnits = 2 ** 18;

/** Layers of different units share a table only while it is small: their common unit is often far finer. */
const mixedTableUnits = 2 ** 16;

/** The proven best placement for each budget, or the best found with an honest gap. Budgets default to the problem's. */
export function solveExactly(
  problem: PlacementProblem,
  budgets: readonly Bytes[] = [problem.budgetBytes],
): readonly Solution[] {
  const start = performance.now();
  const all = configurations({ ...problem, budgetBytes: Math.max(...budgets) });
  const searches = budgets.map(
    (budget) => new Search(budget, eligibleConfigurations(problem, all, budget)),
  );
  const families = familiesOf(problem, Math.max(...budgets));
  for (let first = problem.layers.length; first >= 0; first--) {
    const family = families.find((candidate) => candidate.layers.includes(first));
    const front = family?.fronts.get(first);
    if (family !== undefined && front !== undefined) family.add(first, front);
    for (const search of searches) search.visit(problem, first, families);
  }
  const rising = [...searches].sort((a, b) => a.budget - b.budget);
  rising.forEach((search, i) => {
    search.finish(rising[i - 1], mergeWork / budgets.length);
  });
  const solveMs = performance.now() - start;
  return searches.map((search) => {
    const { selection, shortfall } = search.restore(problem, families);
    const plain = solutionOf(problem, selection, { bound: 0, budgetBytes: search.budget, solveMs });
    const towards = problem.objective === "latency" ? -shortfall : shortfall;
    return solutionOf(problem, selection, {
      bound: plain.objective + towards,
      budgetBytes: search.budget,
      solveMs,
    });
  });
}

/**
 * Activations that a second is worth under the objective `paper`, as a share of all of them per second of the slowest
 * choices: of placements with the same activations on the GPU the fastest is wanted, and so little decides nothing else.
 */
const tieBreak = 1e-10;

/** The choices of a layer whose attention is on the GPU: hot groups and what they cost under the objective. */
function layerFront(layer: LayerProblem, problem: PlacementProblem): Front {
  const { objective } = problem;
  const hasMinimum = objective === "paper" || layer.isWhole;
  const price = objective === "latency" ? 1 : secondPrice(problem);
  const tags = Uint32Array.from({ length: choiceCount(layer) }, (_, choice) => choice)
    .filter((choice) => {
      const { hotGroups } = choiceOf(layer, choice);
      return !hasMinimum || hotGroups === 0 || hotGroups >= layer.minimumHotGroups;
    })
    .sort((a, b) => choiceOf(layer, a).bytes - choiceOf(layer, b).bytes || a - b);
  const costs = Float64Array.from(tags, (choice) => {
    const { hotGroups, seconds } = choiceOf(layer, choice);
    return objective === "latency" ? seconds : price * seconds - (layer.hotMass[hotGroups] ?? 0);
  });
  return paretoFront({
    bytes: Float64Array.from(tags, (choice) => choiceOf(layer, choice).bytes),
    costs,
    tags,
  });
}

function secondPrice({ layers }: PlacementProblem): number {
  const mass = layers.reduce((sum, { hotMass }) => sum + (hotMass.at(-1) ?? 0), 0);
  const seconds = layers.reduce((sum, { ffnSeconds }) => sum + Math.max(...ffnSeconds), 0);
  return seconds === 0 ? 0 : (tieBreak * mass) / seconds;
}

/** Layers whose choices are combined before they meet others: one table, or a single layer as it is. */
interface Family {
  readonly layers: readonly number[];
  /** All its bytes are multiples of this; 0 when they are 0. */
  readonly unit: number;
  readonly fronts: ReadonlyMap<number, Front>;
  add(layer: number, front: Front): void;
  front(): MergeFront;
  /** The cheapest total within the capacity, and its tag. */
  cheapest(capacity: number): { readonly tag: number; readonly cost: number };
  /** Writes the choice of each layer from `firstLayer` on. */
  restore(tag: number, firstLayer: number, choices: number[]): void;
}

const emptyFront: MergeFront = mergeFront({
  bytes: Float64Array.of(0),
  costs: Float64Array.of(0),
  tags: Uint32Array.of(0),
});

/** All layers in one table when their common unit is coarse enough, else one for each unit, else layers alone. */
function familiesOf(problem: PlacementProblem, capacity: Bytes): readonly Family[] {
  const fronts = problem.layers.map((layer) => layerFront(layer, problem));
  const units = fronts.map(byteUnit);
  const reachOf = (indices: readonly number[]): number =>
    indices.reduce((sum, index) => sum + (fronts[index]?.bytes.at(-1) ?? 0), 0);
  const everyLayer = fronts.map((_, index) => index);
  const build = (layers: readonly number[], limit: number): readonly Family[] => {
    const entries = new Map(layers.map((index) => [index, fronts[index] ?? emptyFront] as const));
    const unit =
      layers.reduce((common, index) => greatestCommonDivisor(common, units[index] ?? 0), 0) || 1;
    if (Math.min(capacity, reachOf(layers)) / unit <= limit)
      return [tableFamily(entries, unit, capacity)];
    return [];
  };
  const together = build(everyLayer, mixedTableUnits);
  if (together.length > 0) return together;
  return [...new Set(units)].flatMap((unit) => {
    const layers = everyLayer.filter((index) => units[index] === unit);
    const family = build(layers, tableUnits);
    return family.length > 0 && layers.length > 1
      ? family
      : layers.map((index) => singleFamily(index, fronts[index] ?? emptyFront));
  });
}

function tableFamily(fronts: ReadonlyMap<number, Front>, unit: number, capacity: Bytes): Family {
  const table = new LayerTable(unit, capacity);
  let cached: MergeFront | undefined;
  return {
    layers: [...fronts.keys()],
    unit,
    fronts,
    add(layer, front) {
      table.add(layer, front);
      cached = undefined;
    },
    front() {
      cached ??= mergeFront(table.front());
      return cached;
    },
    cheapest: (capacity) => table.cheapest(capacity),
    restore: (tag, firstLayer, choices) => table.restore(tag, firstLayer, choices),
  };
}

function singleFamily(layer: number, front: Front): Family {
  let current = emptyFront;
  return {
    layers: [layer],
    unit: byteUnit(front),
    fronts: new Map([[layer, front]]),
    add() {
      current = mergeFront(front);
    },
    front: () => current,
    cheapest(capacity) {
      const pick = lastWithin(current, capacity);
      return { tag: current.tags[pick] ?? 0, cost: current.costs[pick] ?? 0 };
    },
    restore(tag, firstLayer, choices) {
      if (layer >= firstLayer) choices[layer] = tag;
    },
  };
}

/** A configuration whose fronts are known but not merged yet. */
interface UnmergedConfiguration {
  readonly configuration: Configuration;
  readonly fixed: number;
  readonly capacity: number;
  readonly fronts: readonly MergeFront[];
  readonly start: MergeBound;
  readonly known: MergePicks;
}

/** Tags are of each family; `cost` is of the whole placement. */
interface Best {
  readonly configuration: Configuration;
  readonly tags: readonly number[];
  readonly cost: number;
}

/** Shares of the way from the least bound to the best placement known. */
const cutoffShares: readonly number[] = [20, 17, 14, 11, 9, 7, 5, 3, 1.5, 0].map((n) => 2 ** -n);

function floorTo(unit: number, bytes: Bytes): Bytes {
  return unit === 0 ? bytes : Math.floor(bytes / unit) * unit;
}

function minCost({ fixed, start }: UnmergedConfiguration): number {
  return fixed + start.bound;
}

/** The search for one budget over all configurations: candidates are merged in the order of their bounds. */
class Search {
  readonly budget: Bytes;
  readonly #eligible: readonly Configuration[];
  readonly #candidates: UnmergedConfiguration[] = [];
  #best: Best | undefined;
  /** What the best cost may be above the least possible: 0 when it is proven. */
  #shortfall = 0;

  constructor(budget: Bytes, eligible: readonly Configuration[]) {
    this.budget = budget;
    this.#eligible = eligible;
  }

  /** The layers from `first` on are in the families: looks at the configurations that start there. */
  visit(problem: PlacementProblem, first: number, families: readonly Family[]): void {
    // All totals are multiples of it: what is beyond the last one within the capacity would only weaken the bound.
    const unit = families.reduce((common, family) => greatestCommonDivisor(common, family.unit), 0);
    for (const configuration of this.#eligible) {
      if (configuration.firstGpuLayer !== first) continue;
      const fixed = problem.objective === "latency" ? configuration.seconds : 0;
      const capacity = floorTo(unit, this.budget - configuration.bytes);
      const [only] = families;
      if (families.length === 1 && only !== undefined) {
        const { tag, cost } = only.cheapest(capacity);
        this.#offer(configuration, [tag], fixed + cost);
        continue;
      }
      const fronts = families.map((family) => frontWithin(family.front(), capacity));
      const start = mergeBound(fronts, capacity);
      const known = mergeRounded(fronts, capacity, start.price);
      if (known === undefined) continue;
      this.#offer(configuration, tagsOf(fronts, known.picks), fixed + known.cost);
      this.#candidates.push({ configuration, fixed, capacity, fronts, start, known });
    }
  }

  /** `smaller`: the finished search of a smaller budget, whose placement fits here too. */
  finish(smaller: Search | undefined, work: number): void {
    const inherited = smaller?.allows(this.#eligible);
    if (inherited) this.#offer(inherited.configuration, inherited.tags, inherited.cost);
    this.#candidates.sort((a, b) => minCost(a) - minCost(b));
    for (const candidate of this.#candidates) {
      if (minCost(candidate) >= this.#bestCost()) break;
      const { configuration, fixed, capacity, fronts, known } = candidate;
      const improved = mergeImproved(fronts, capacity, known);
      this.#offer(configuration, tagsOf(fronts, improved.picks), fixed + improved.cost);
    }
    const bound = this.#prove({ left: work });
    const tolerance = costTolerance * Math.abs(this.#bestCost());
    this.#shortfall = bound < this.#bestCost() - tolerance ? this.#bestCost() - bound : 0;
  }

  /**
   * Looks below cutoffs that rise from the bound to the best that is known: the optimum is mostly close to the bound,
   * and a search below a low cutoff is short. A cost found below one is the optimum. Returns a lower bound of the cost.
   */
  #prove(work: MergeWork): number {
    const [first] = this.#candidates;
    const known = this.#bestCost();
    if (first === undefined) return known;
    let bound = Math.min(known, minCost(first));
    for (const share of cutoffShares) {
      const least = minCost(first);
      const cutoff = least + share * (known - least);
      for (const { configuration, fixed, capacity, fronts, start } of this.#candidates) {
        const goal = Math.min(cutoff, this.#bestCost());
        if (fixed + start.bound >= goal) break;
        const merged = mergeFronts(fronts, { capacity, cutoff: goal - fixed, start }, work);
        if (merged.kind === "exhausted") return bound;
        const { found } = merged;
        if (found) this.#offer(configuration, tagsOf(fronts, found.picks), fixed + found.cost);
      }
      if (this.#bestCost() <= cutoff) return this.#bestCost();
      bound = cutoff;
    }
    return this.#bestCost();
  }

  /** The best placement, when its configuration is among these. */
  allows(configurations: readonly Configuration[]): Best | undefined {
    return this.#best && configurations.includes(this.#best.configuration) ? this.#best : undefined;
  }

  restore(
    problem: PlacementProblem,
    families: readonly Family[],
  ): { readonly selection: PlacementChoice; readonly shortfall: number } {
    if (this.#best === undefined) {
      throw new OptionError("VRAM budget", String(this.budget), "a budget that was searched");
    }
    const { configuration, tags } = this.#best;
    const choices = new Array<number>(problem.layers.length).fill(0);
    families.forEach((family, index) => {
      family.restore(tags[index] ?? 0, configuration.firstGpuLayer, choices);
    });
    const { firstGpuLayer, outputOnGpu } = configuration;
    const selection = { firstGpuLayer, outputOnGpu, ...placedChoices(problem.layers, choices) };
    return { selection, shortfall: this.#shortfall };
  }

  #bestCost(): number {
    return this.#best?.cost ?? Number.POSITIVE_INFINITY;
  }

  #offer(configuration: Configuration, tags: readonly number[], cost: number): void {
    if (this.#best === undefined || cost < this.#best.cost)
      this.#best = { configuration, tags, cost };
  }
}

function tagsOf(fronts: readonly Front[], picks: readonly number[]): readonly number[] {
  return fronts.map((front, index) => front.tags[picks[index] ?? 0] ?? 0);
}
