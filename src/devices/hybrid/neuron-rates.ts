/**
 * How often each neuron of one layer is active. The CPU's are watched one by one; the GPU reports the sum of its own,
 * which is shared among those that were never watched, as the profile weighs them.
 */
import type { NeuronCounts } from "../../backends/backend.ts";
import type { Neurons, Tokens } from "../../core/units.ts";

export class NeuronRates {
  readonly #active: Float64Array;
  readonly #rows: Float64Array;
  readonly #weights: Float32Array | undefined;
  #together: { active: number; rows: Tokens } = { active: 0, rows: 0 };

  /** `weights`: how often each is expected to be active; all alike where nothing is known. */
  constructor(neuronCount: Neurons, weights: Float32Array | undefined) {
    this.#active = new Float64Array(neuronCount);
    this.#rows = new Float64Array(neuronCount);
    this.#weights = weights;
  }

  /** In how many of the rows each of the neurons was active. */
  seen(neurons: Uint32Array, active: Uint32Array, rows: Tokens): void {
    neurons.forEach((neuron, i) => {
      this.#active[neuron] = (this.#active[neuron] ?? 0) + (active[i] ?? 0);
      this.#rows[neuron] = (this.#rows[neuron] ?? 0) + rows;
    });
  }

  /** How often all hot neurons together were active in these rows. */
  seenTogether(active: number, rows: Tokens): void {
    this.#together.active += active;
    this.#together.rows += rows;
  }

  /** Other neurons are hot now: their sum begins anew. */
  forgetTogether(): void {
    this.#together = { active: 0, rows: 0 };
  }

  /** The rate of a neuron that was watched; 0 for others. */
  of(neuron: number): number {
    const rows = this.#rows[neuron] ?? 0;
    return rows === 0 ? 0 : (this.#active[neuron] ?? 0) / rows;
  }

  /** Rates of the hot neurons, by id: a watched neuron keeps its own rate, the others share the rest of the sum. */
  ofHot(hot: ReadonlySet<number>): Float64Array {
    const { active, rows } = this.#together;
    const found = new Float64Array(this.#rows.length);
    const unknown: number[] = [];
    let left = rows === 0 ? 0 : active / rows;
    let weights = 0;
    for (const neuron of hot) {
      if ((this.#rows[neuron] ?? 0) === 0) {
        unknown.push(neuron);
        weights += this.#weight(neuron);
      } else {
        found[neuron] = this.of(neuron);
        left -= this.of(neuron);
      }
    }
    const rest = Math.max(0, left);
    for (const neuron of unknown) {
      const share = weights === 0 ? 1 / unknown.length : this.#weight(neuron) / weights;
      found[neuron] = Math.min(1, rest * share);
    }
    return found;
  }

  #weight(neuron: number): number {
    return this.#weights?.[neuron] ?? 1;
  }
}

/** Counts of other neurons at other times as one for each layer: over the most rows that any of its neurons was watched. */
export function joinNeuronCounts(counts: readonly NeuronCounts[]): readonly NeuronCounts[] {
  const layers = new Map<number, Map<number, { active: number; rows: Tokens }>>();
  for (const { layer, rows, neurons, active } of counts) {
    const known = layers.get(layer) ?? new Map<number, { active: number; rows: Tokens }>();
    layers.set(layer, known);
    neurons.forEach((neuron, i) => {
      const sum = known.get(neuron) ?? { active: 0, rows: 0 };
      sum.active += active[i] ?? 0;
      sum.rows += rows;
      known.set(neuron, sum);
    });
  }
  return [...layers].map(([layer, sums]) => {
    const sorted = [...sums].sort(([a], [b]) => a - b);
    const rows = sorted.reduce((most, [, sum]) => Math.max(most, sum.rows), 0);
    const scaled = sorted.map(([, sum]) => Math.round((sum.active * rows) / sum.rows));
    const neurons = Uint32Array.from(sorted, ([neuron]) => neuron);
    return { layer, rows, neurons, active: Uint32Array.from(scaled) };
  });
}
