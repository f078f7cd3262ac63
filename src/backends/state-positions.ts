/**
 * How far the layers of each sequence have read, for those that forget: a state is replaced row by row, a ring turns. A
 * row which does not follow them would give wrong numbers. Every executable asks here.
 */
import { HearthError } from "../core/errors.ts";
import { type KvLayer, keepsCheckpoints, layerRestorableFrom, placesOf } from "../ops/kv-shape.ts";
import type { Program, Step } from "../ops/program.ts";
import { cacheLayersOf } from "../ops/program-ops.ts";

/** No run has followed since the state was made unusable, or since the memory was allocated. */
const nowhere = -1;

/** A layer that forgets, and in each place (of the sequences, then of the checkpoints) one more than its highest position. */
interface Reading {
  readonly layer: KvLayer;
  readonly stored: Int32Array;
}

export class StatePositions {
  /** By segment: the layers that its ops advance. */
  readonly #bySegment: readonly (readonly Reading[])[];
  readonly #byLayer: readonly (Reading | undefined)[];
  readonly #readings: readonly Reading[];
  readonly #advanced: Int32Array;
  readonly #sequences: number;
  readonly #checkpoints: number;

  constructor({ segments, kv }: Program) {
    const { sequences, checkpoints = 0, contextLength } = kv;
    this.#sequences = sequences;
    this.#checkpoints = checkpoints;
    const readings = kv.layers.map((layer): Reading | undefined => {
      if (!keepsCheckpoints(layer, contextLength)) return undefined;
      return { layer, stored: new Int32Array(placesOf(kv)).fill(nowhere) };
    });
    this.#byLayer = readings;
    this.#readings = readings.filter((reading) => reading !== undefined);
    this.#bySegment = segments.map(({ ops }) =>
      [...new Set(cacheLayersOf(ops))].flatMap((layer) => readings[layer] ?? []),
    );
    this.#advanced = new Int32Array(sequences);
  }

  /**
   * Before a segment runs over the rows. Makes no objects.
   * @throws HearthError for a row that does not follow what its sequence holds; then nothing has changed.
   */
  advance(segment: number, step: Step): void {
    const readings = this.#bySegment[segment];
    if (readings === undefined) return;
    for (let i = 0; i < readings.length; i++) this.#follow(readings[i], step);
    for (let i = 0; i < readings.length; i++) {
      const stored = readings[i]?.stored;
      for (let row = 0; stored !== undefined && row < step.rowCount; row++) {
        const sequence = step.sequence[row] ?? 0;
        stored[sequence] = storedBehind(step.position[row] ?? 0, stored[sequence] ?? nowhere);
      }
    }
  }

  #follow(reading: Reading | undefined, step: Step): void {
    if (reading === undefined) return;
    const { layer, stored } = reading;
    const advanced = this.#advanced;
    for (let sequence = 0; sequence < this.#sequences; sequence++) {
      advanced[sequence] = stored[sequence] ?? nowhere;
    }
    for (let row = 0; row < step.rowCount; row++) {
      const sequence = step.sequence[row] ?? 0;
      const position = step.position[row] ?? 0;
      const before = advanced[sequence] ?? nowhere;
      if (!canGoOn(layer, position, before)) {
        throw new HearthError(notFollowing(layer, { sequence, position, stored: before }));
      }
      advanced[sequence] = storedBehind(position, before);
    }
  }

  /** A sequence copied up to where its layers can go on has them too; of any other copy they have nothing, until one is restored. */
  copy(from: number, to: number, length: number): void {
    if (from === to) return;
    for (const { layer, stored } of this.#readings) {
      const before = stored[from] ?? nowhere;
      stored[to] = length > 0 && canGoOn(layer, length, before) ? before : nowhere;
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

  /** What the layer holds in this place was written: it goes on behind so many tokens. */
  wrote(place: number, layer: number, length: number): void {
    const stored = this.#byLayer[layer]?.stored;
    if (stored !== undefined) stored[place] = length;
  }

  #place(slot: number): number {
    if (Number.isInteger(slot) && slot >= 0 && slot < this.#checkpoints) {
      return this.#sequences + slot;
    }
    throw new RangeError(`slot ${slot} of ${this.#checkpoints} checkpoints`);
  }

  #move(from: number, to: number, complaint: string): void {
    if (this.#readings.some(({ stored }) => stored[from] === nowhere)) {
      throw new HearthError(complaint);
    }
    for (const { stored } of this.#readings) stored[to] = stored[from] ?? nowhere;
  }
}

function storedBehind(position: number, stored: number): number {
  return position === 0 ? 1 : Math.max(stored, position + 1);
}

/** Whether what a layer holds, of `stored` positions, is all that a row at this one needs. */
function canGoOn(layer: KvLayer, position: number, stored: number): boolean {
  if (position === 0) return true;
  return position <= stored && position >= layerRestorableFrom(layer, stored);
}

function notFollowing(
  layer: KvLayer,
  at: { readonly sequence: number; readonly position: number; readonly stored: number },
): string {
  const { sequence, position, stored } = at;
  const isState = layer.kind === "recurrent";
  const held = isState
    ? `its state stands behind ${stored} positions`
    : `its rings hold positions for rows from ${layerRestorableFrom(layer, stored)} to ${stored}`;
  const found = stored === nowhere ? "it has no state" : held;
  return `sequence ${sequence} goes on at position ${position}, but ${found}: read it from position 0, or restore a state that was saved there`;
}
