/**
 * Behind which position the state of each recurrent layer stands, sequence by sequence: a state is replaced row by row
 * and cannot go back, so that a row which does not follow it would give wrong numbers. Every executable asks here.
 */
import { HearthError } from "../core/errors.ts";
import { recurrentLayer } from "../ops/kv-shape.ts";
import type { Program, Step } from "../ops/program.ts";
import { cacheLayersOf } from "../ops/program-ops.ts";

/** No run has followed since the state was made unusable, or since the memory was allocated. */
const nowhere = -1;

export class StatePositions {
  /** By segment: the recurrent layers that its ops advance. */
  readonly #layers: readonly (readonly number[])[];
  /** By layer of the cache: positions read, of each sequence, then of each checkpoint. */
  readonly #read: readonly Int32Array[];
  readonly #advanced: Int32Array;
  readonly #sequences: number;
  readonly #checkpoints: number;

  constructor({ segments, kv }: Program) {
    const { sequences, checkpoints = 0 } = kv;
    this.#sequences = sequences;
    this.#checkpoints = checkpoints;
    this.#layers = segments.map(({ ops }) =>
      cacheLayersOf(ops).filter((layer) => recurrentLayer(kv, layer) !== undefined),
    );
    this.#read = kv.layers.map((layer) =>
      new Int32Array(layer.kind === "recurrent" ? sequences + checkpoints : 0).fill(nowhere),
    );
    this.#advanced = new Int32Array(sequences);
  }

  /**
   * Before a segment runs over the rows. Makes no objects.
   * @throws HearthError for a row that does not follow the state of its sequence; then nothing has changed.
   */
  advance(segment: number, step: Step): void {
    const layers = this.#layers[segment];
    if (layers === undefined) return;
    for (let i = 0; i < layers.length; i++) this.#follow(layers[i] ?? 0, step);
    for (let i = 0; i < layers.length; i++) {
      const read = this.#read[layers[i] ?? 0];
      for (let row = 0; read !== undefined && row < step.rowCount; row++) {
        read[step.sequence[row] ?? 0] = (step.position[row] ?? 0) + 1;
      }
    }
  }

  #follow(layer: number, step: Step): void {
    const read = this.#read[layer];
    if (read === undefined) return;
    const advanced = this.#advanced;
    for (let sequence = 0; sequence < this.#sequences; sequence++) {
      advanced[sequence] = read[sequence] ?? nowhere;
    }
    for (let row = 0; row < step.rowCount; row++) {
      const sequence = step.sequence[row] ?? 0;
      const position = step.position[row] ?? 0;
      if (position !== 0 && position !== advanced[sequence]) {
        throw new HearthError(notFollowing(sequence, position, advanced[sequence] ?? nowhere));
      }
      advanced[sequence] = position + 1;
    }
  }

  /** A sequence copied up to where its states stand has them too; any other copy leaves none, until one is restored. */
  copy(from: number, to: number, length: number): void {
    if (from === to) return;
    for (const read of this.#read) {
      if (read.length > 0) read[to] = read[from] === length ? length : nowhere;
    }
  }

  /**
   * Returns the place of the slot's states in memory, behind those of the sequences.
   * @throws RangeError for a slot that the program has not; HearthError for a sequence without a state.
   */
  save(sequence: number, slot: number): number {
    const at = this.#place(slot);
    this.#move(
      sequence,
      at,
      `sequence ${sequence} has no state that could be saved: run its rows first`,
    );
    return at;
  }

  /** As save. @throws HearthError for a slot in which nothing was saved. */
  restore(slot: number, sequence: number): number {
    const at = this.#place(slot);
    this.#move(
      at,
      sequence,
      `nothing was saved in slot ${slot}: save a state before it is restored`,
    );
    return at;
  }

  #place(slot: number): number {
    if (Number.isInteger(slot) && slot >= 0 && slot < this.#checkpoints) {
      return this.#sequences + slot;
    }
    throw new RangeError(`slot ${slot} of ${this.#checkpoints} checkpoints`);
  }

  #move(from: number, to: number, complaint: string): void {
    const states = this.#read.filter((read) => read.length > 0);
    if (states.some((read) => read[from] === nowhere)) throw new HearthError(complaint);
    for (const read of states) read[to] = read[from] ?? nowhere;
  }
}

function notFollowing(sequence: number, position: number, read: number): string {
  const found = read === nowhere ? "it has no state" : `its state stands behind ${read} positions`;
  return `sequence ${sequence} goes on at position ${position}, but ${found}: read it from position 0, or restore a state that was saved there`;
}
