/**
 * Rows of one layer to learn from: what a predictor reads, and which neurons were active then. A reservoir keeps a
 * uniform sample of a corpus of any length in bounded memory (algorithm R, Vitter 1985).
 */
import { createRandom, type Random } from "../../core/random.ts";
import type { Bytes } from "../../core/units.ts";

export interface LayerRows {
  readonly dim: number;
  readonly neurons: number;
  readonly count: number;
  readonly x: Float32Array; // [count, dim]
  /** One bit a neuron, 1 = active; little-endian bits. */
  readonly active: Uint8Array; // [count, maskBytes(neurons)]
  /** |h|, where it was asked for. */
  readonly magnitude?: Float32Array; // [count, neurons]
}

export interface ReservoirOptions {
  readonly dim: number;
  readonly neurons: number;
  /** The most rows that are kept. */
  readonly capacity: number;
  readonly keepsMagnitude: "with magnitudes" | "without magnitudes";
  readonly seed: number;
}

export function maskBytes(neurons: number): number {
  return Math.ceil(neurons / 8);
}

export function reservoirRowBytes(options: Omit<ReservoirOptions, "capacity" | "seed">): Bytes {
  const { dim, neurons, keepsMagnitude } = options;
  const magnitudes = keepsMagnitude === "with magnitudes" ? 4 * neurons : 0;
  return 4 * dim + maskBytes(neurons) + magnitudes;
}

export class RowReservoir {
  readonly #options: ReservoirOptions;
  readonly #random: Random;
  readonly #x: Float32Array;
  readonly #active: Uint8Array;
  readonly #magnitude: Float32Array | undefined;
  #seen = 0;

  constructor(options: ReservoirOptions) {
    const { dim, neurons, capacity, keepsMagnitude, seed } = options;
    this.#options = options;
    this.#random = createRandom(seed);
    this.#x = new Float32Array(capacity * dim);
    this.#active = new Uint8Array(capacity * maskBytes(neurons));
    if (keepsMagnitude === "with magnitudes") {
      this.#magnitude = new Float32Array(capacity * neurons);
    }
  }

  /** Offers rows x [rows, dim] with h [rows, neurons]; a neuron is active where h is not zero. */
  offer(rows: number, x: Float32Array, h: Float32Array): void {
    const { capacity, dim, neurons } = this.#options;
    for (let row = 0; row < rows; row++) {
      const place = this.#seen < capacity ? this.#seen : this.#random.integer(this.#seen + 1);
      this.#seen++;
      if (place >= capacity) continue;
      this.#x.set(x.subarray(row * dim, (row + 1) * dim), place * dim);
      this.#keep(place, h.subarray(row * neurons, (row + 1) * neurons));
    }
  }

  /** Views of what was kept. */
  rows(): LayerRows {
    const { dim, neurons, capacity } = this.#options;
    const count = Math.min(this.#seen, capacity);
    const magnitude = this.#magnitude?.subarray(0, count * neurons);
    return {
      dim,
      neurons,
      count,
      x: this.#x.subarray(0, count * dim),
      active: this.#active.subarray(0, count * maskBytes(neurons)),
      ...(magnitude && { magnitude }),
    };
  }

  #keep(place: number, h: Float32Array): void {
    const { neurons } = this.#options;
    const bytes = maskBytes(neurons);
    const mask = this.#active.subarray(place * bytes, (place + 1) * bytes).fill(0);
    for (let neuron = 0; neuron < neurons; neuron++) {
      const value = h[neuron] ?? 0;
      if (value !== 0) mask[neuron >> 3] = (mask[neuron >> 3] ?? 0) | (1 << (neuron & 7));
      if (this.#magnitude) this.#magnitude[place * neurons + neuron] = Math.abs(value);
    }
  }
}

/** Rows [from, until) as rows of their own: views. */
export function sliceRows(rows: LayerRows, from: number, until: number): LayerRows {
  const { dim, neurons, x, active, magnitude } = rows;
  const bytes = maskBytes(neurons);
  return {
    dim,
    neurons,
    count: until - from,
    x: x.subarray(from * dim, until * dim),
    active: active.subarray(from * bytes, until * bytes),
    ...(magnitude && { magnitude: magnitude.subarray(from * neurons, until * neurons) }),
  };
}

/** Share of active neurons of each neuron over the rows. */
export function frequencies(rows: LayerRows): Float64Array {
  const { neurons, count, active } = rows;
  const counts = new Float64Array(neurons);
  const bytes = maskBytes(neurons);
  for (let row = 0; row < count; row++) {
    for (let neuron = 0; neuron < neurons; neuron++) {
      const bit = ((active[row * bytes + (neuron >> 3)] ?? 0) >> (neuron & 7)) & 1;
      counts[neuron] = (counts[neuron] ?? 0) + bit;
    }
  }
  return counts.map((value) => value / Math.max(1, count));
}
