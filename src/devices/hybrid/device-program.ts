/**
 * One device's share of a program while it grows: its own slots, its own layers of the KV cache, its segments.
 * A share holds nothing that the device does not use, so its memory is what the placement says.
 */
import type { KvLayer } from "../../ops/kv-shape.ts";
import type { Op, Slot } from "../../ops/op.ts";
import type { Places } from "../../ops/op-rule.ts";
import { ruleOf } from "../../ops/op-table.ts";
import type { Program, Segment } from "../../ops/program.ts";
import type { DeviceId } from "../../placement/plan.ts";

export class DeviceProgram {
  readonly device: DeviceId;
  readonly #slots = new Map<Slot, Slot>();
  /** Layer of the model → layer of this device's cache. */
  readonly #cacheLayers = new Map<number, number>();
  readonly #segments: Segment[] = [];
  readonly #places: Places = {
    slot: (slot) => this.slot(slot),
    cacheLayer: (layer) => this.#cacheLayer(layer),
  };
  #ops: Op[] = [];

  constructor(device: DeviceId) {
    this.device = device;
  }

  /** Ops that wait for a segment to carry them. */
  get opCount(): number {
    return this.#ops.length;
  }

  /** This device's copy of a slot of the whole program. */
  slot(slot: Slot): Slot {
    const known = this.#slots.get(slot);
    if (known !== undefined) return known;
    const own: Slot = { ...slot, id: this.#slots.size };
    this.#slots.set(slot, own);
    return own;
  }

  /** This device's layer of the cache for one of the model's; undefined where it has none. */
  cacheLayer(layer: number): number | undefined {
    return this.#cacheLayers.get(layer);
  }

  has(slot: Slot): boolean {
    return this.#slots.has(slot);
  }

  add(op: Op): void {
    this.#ops.push(ruleOf(op).moved(op, this.#places));
  }

  /** Closes a segment of the ops added since the last one and returns its index. */
  cut(
    name: string,
    { outputs, isStreamed }: { readonly outputs: readonly Slot[]; readonly isStreamed: boolean },
  ): number {
    const own = outputs.map((slot) => this.slot(slot));
    const streamed = isStreamed ? { isStreamed } : {};
    this.#segments.push({ name, ops: this.#ops, outputs: own, ...streamed });
    this.#ops = [];
    return this.#segments.length - 1;
  }

  /** What the device compiles; undefined when it has nothing to do. */
  finish(whole: Program): Program | undefined {
    if (this.#segments.length === 0) return undefined;
    return {
      slots: [...this.#slots.values()],
      kv: { ...whole.kv, layers: [...this.#cacheLayers.keys()].flatMap(layerOf(whole)) },
      segments: this.#segments,
      maxRows: whole.maxRows,
      maxOutputs: whole.maxOutputs,
    };
  }

  #cacheLayer(layer: number): number {
    const own = this.#cacheLayers.get(layer) ?? this.#cacheLayers.size;
    this.#cacheLayers.set(layer, own);
    return own;
  }
}

/** What a layer of the whole program's cache remembers. */
function layerOf({ kv }: Program): (layer: number) => readonly KvLayer[] {
  return (layer) => kv.layers.slice(layer, layer + 1);
}
