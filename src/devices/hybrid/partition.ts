/**
 * Cuts a program into a GPU and a CPU program and the order in which their segments run, by a placement. Ops stay in
 * the program's order on each device; a slot crosses when the other device reads it, and only then. So a layer
 * without cold neurons costs no synchronisation and a block of whole layers on the CPU costs one crossing. Keys and values
 * are stored on each device that reads them.
 *
 *   split layer, main device:  … | inputs out | own neurons, parallel attention | += y of the other, next layer …
 *   the other device:                    norm, its neurons → y ─────────────────┘
 */
import { counted } from "../../core/counted.ts";
import { ShapeError } from "../../core/errors.ts";
import { isIndivisible } from "../../ops/ffn-block.ts";
import type { Op, OpOf, Slot } from "../../ops/op.ts";
import type { Program, Segment } from "../../ops/program.ts";
import { cacheLayersOf, opsOfKind } from "../../ops/program-ops.ts";
import { addsOnlyTo, slotsRead, slotWritten } from "../../ops/slot-access.ts";
import { cpuDevice, type Plan, type PlanLayer } from "../../placement/plan.ts";
import { blockShare, type DeviceName, DeviceProgram } from "./device-program.ts";

/** The parts of a plan that the executor needs. */
export type Placement = Pick<Plan, "layers" | "outputDevice">;

/** What a step does, in order. `label` is for the timeline: "attention 3", "ffn 3". */
export type Action =
  | {
      readonly kind: "run";
      readonly device: DeviceName;
      readonly segment: number;
      readonly label: string;
      /** What a transfer behind it waits for: a run without outputs may resolve at once. */
      readonly hasOutputs: boolean;
      /** Of a step that takes the prompt path "cpu": this run belongs to it alone, or has no part in it. */
      readonly onCpuPath?: "only" | "never";
    }
  /** Waits for the device's last segment with outputs and copies them over. */
  | {
      readonly kind: "transfer";
      readonly from: DeviceName;
      readonly slots: readonly { readonly from: Slot; readonly to: Slot }[];
    };

export interface Partition {
  readonly gpu: Program | undefined;
  readonly cpu: Program | undefined;
  /** By segment of the whole program. */
  readonly actions: readonly (readonly Action[])[];
  /** Where the host finds an output of the whole program. */
  readonly outputs: ReadonlyMap<Slot, { readonly device: DeviceName; readonly slot: Slot }>;
  /** The devices that remember a layer of the cache, and which of their layers it is. */
  readonly cacheLayers: (
    layer: number,
  ) => readonly { readonly device: DeviceName; readonly layer: number }[];
  /** Every slot of the whole program on the devices that have it. */
  readonly copies: (slot: Slot) => readonly { readonly device: DeviceName; readonly slot: Slot }[];
}

export interface PartitionOptions {
  /** "apart": a segment of its own for each merge, so that a timeline shows when it ended. Default "fused". */
  readonly merge?: "fused" | "apart";
  /** Another way through split layers: the CPU computes all neurons, those of the GPU too. Default false. */
  readonly cpuPath?: boolean;
}

/** @throws ShapeError when the placement is of a model with other layers or neurons. */
export function partitionProgram(
  program: Program,
  placement: Placement,
  options: PartitionOptions = {},
): Partition {
  checkPlacement(program, placement);
  const partitioner = new Partitioner(placement, options);
  const actions = program.segments.map((segment) => partitioner.segment(segment));
  const { gpu, cpu } = partitioner;
  return {
    gpu: gpu.finish(program),
    cpu: cpu.finish(program),
    actions,
    outputs: partitioner.outputs,
    cacheLayers: (layer) =>
      [gpu, cpu].flatMap((own) => {
        const place = own.cacheLayer(layer);
        return place === undefined ? [] : [{ device: own.device, layer: place }];
      }),
    copies: (slot) =>
      [gpu, cpu]
        .filter((device) => device.has(slot))
        .map((device) => ({ device: device.device, slot: device.slot(slot) })),
  };
}

/** The other device's share of a split block, until its result is wanted. */
interface PendingMerge {
  readonly layer: number;
  readonly main: DeviceProgram;
  readonly side: DeviceProgram;
  readonly sideOps: readonly Op[];
  readonly transfer: Action;
  readonly out: Slot;
  readonly result: Slot;
  /** The side's ops when it computes all neurons; undefined where it cannot, or need not. */
  readonly wholeOps: readonly Op[] | undefined;
  /** How the result comes into `out`: beside the main device's own share, or as all there is. */
  readonly merge: "add" | "copy";
}

class Partitioner {
  readonly gpu: DeviceProgram = new DeviceProgram("gpu");
  readonly cpu: DeviceProgram = new DeviceProgram("cpu");
  readonly outputs: Map<Slot, { readonly device: DeviceName; readonly slot: Slot }> = new Map();
  readonly #placement: Placement;
  readonly #merge: "fused" | "apart";
  readonly #hasCpuPath: boolean;
  /** Devices that hold a slot's present value. */
  readonly #holders: Map<Slot, ReadonlySet<DeviceProgram>> = new Map();
  /** How often a slot was written; a norm can be done again while its input has the same version. */
  readonly #versions: Map<Slot, number> = new Map();
  readonly #norms: Map<Slot, { readonly op: OpOf<"norm">; version: number }> = new Map();
  readonly #results: Map<string, Slot> = new Map();
  #actions: Action[] = [];
  #label = "";

  constructor(placement: Placement, options: PartitionOptions) {
    this.#placement = placement;
    this.#merge = options.merge ?? "fused";
    this.#hasCpuPath = options.cpuPath ?? false;
  }

  segment(segment: Segment): readonly Action[] {
    this.#actions = [];
    let pending: PendingMerge | undefined;
    for (const [at, op] of segment.ops.entries()) {
      const layer = layerAt(segment, at);
      if (pending !== undefined && usesOtherwise(op, pending.out)) {
        this.#finishMerge(pending);
        pending = undefined;
      }
      const device = this.#deviceOf(segment, { at, layer });
      this.#label = labelOf(segment, layer);
      const share = op.kind === "ffn" ? this.#shareOf(layer, device) : undefined;
      if (op.kind !== "ffn" || share === undefined) {
        this.#emit(op, device);
        for (const other of this.#otherReaders(segment, op, device)) this.#emit(op, other);
        continue;
      }
      if (pending !== undefined) this.#finishMerge(pending);
      pending = this.#fork(op, { layer, device, share });
    }
    if (pending !== undefined) this.#finishMerge(pending);
    this.#close(segment);
    return this.#actions;
  }

  /** The other device, where the op fills the cache of a layer that an op there reads. */
  #otherReaders(segment: Segment, op: Op, own: DeviceProgram): readonly DeviceProgram[] {
    if (slotWritten(op) !== undefined) return [];
    const filled = cacheLayersOf([op]);
    const readers = segment.ops.flatMap((reader, at) => {
      if (!cacheLayersOf([reader]).some((layer) => filled.includes(layer))) return [];
      return [this.#deviceOf(segment, { at, layer: layerAt(segment, at) })];
    });
    return [this.gpu, this.cpu].filter((device) => device !== own && readers.includes(device));
  }

  /** Embeddings are looked up on the CPU: one row is read, and the table need not be on the card. */
  #deviceOf(
    segment: Segment,
    { at, layer }: { readonly at: number; readonly layer: number },
  ): DeviceProgram {
    const before = segment.layers?.[0]?.first ?? 0;
    if (at < before) return this.cpu;
    const placed = this.#placement.layers[layer];
    return this.#named(placed?.attentionDevice ?? this.#placement.outputDevice);
  }

  #named(device: string): DeviceProgram {
    return device === cpuDevice ? this.cpu : this.gpu;
  }

  /** The neurons of both devices when the layer is split: `own` are those of the device with its attention. */
  #shareOf(layer: number, device: DeviceProgram): Share | undefined {
    const placed = this.#placement.layers[layer];
    if (placed === undefined) return undefined;
    const own = neuronsOf(placed, (name) => this.#named(name) === device);
    const other = neuronsOf(placed, (name) => this.#named(name) !== device);
    return other.length === 0 ? undefined : { own, other };
  }

  #emit(op: Op, device: DeviceProgram): void {
    const missing = slotsRead(op).filter((slot) => !this.#holds(device, slot));
    if (missing.length > 0) this.#actions.push(this.#bring(missing, device));
    device.add(op);
    this.#note(op, device);
  }

  /** Publishes slots of the other device, and returns the action that waits for them and copies them. */
  #bring(slots: readonly Slot[], to: DeviceProgram, options: { onCpuPath?: "never" } = {}): Action {
    const from = to === this.cpu ? this.gpu : this.cpu;
    this.#run(from, slots, options);
    for (const slot of slots) {
      this.#holders.set(slot, new Set([from, to]));
    }
    const copied = slots.map((slot) => ({ from: from.slot(slot), to: to.slot(slot) }));
    return { kind: "transfer", from: from.device, slots: copied };
  }

  #run(
    device: DeviceProgram,
    outputs: readonly Slot[],
    { label = this.#label, onCpuPath }: { label?: string; onCpuPath?: "only" | "never" } = {},
  ): void {
    if (device.opCount === 0 && outputs.length === 0) return;
    const segment = device.cut(label, outputs);
    const hasOutputs = outputs.length > 0;
    const run = { kind: "run", device: device.device, segment, label, hasOutputs } as const;
    this.#actions.push(onCpuPath === undefined ? run : { ...run, onCpuPath });
  }

  #fork(
    given: OpOf<"ffn">,
    at: { readonly layer: number; readonly device: DeviceProgram; readonly share: Share },
  ): PendingMerge {
    const { layer, device: main, share } = at;
    const side = main === this.cpu ? this.gpu : this.cpu;
    const { own, other } = share;
    const isWholePossible = this.#hasCpuPath && side === this.cpu && own.length > 0;
    const isReplaced = isWholePossible && given.into === "assign";
    const op = isReplaced ? this.#addingFromZero(given, main) : given;
    const result = this.#resultSlot(op.out);
    const block = blockShare(op.block, { neurons: other, addsBias: own.length === 0 });
    const sideOp: OpOf<"ffn"> = { ...op, out: result, into: "assign", block };
    const norm = this.#normBefore(op);
    const sideOps = norm === undefined ? [sideOp] : [norm, sideOp];
    const inputs = this.#inputsOf(sideOps).filter((slot) => !this.#holds(side, slot));
    const transfer = this.#bring(inputs, side);
    if (own.length > 0) {
      this.#label = `hot ffn ${layer}`;
      this.#emit({ ...op, block: blockShare(op.block, { neurons: own, addsBias: true }) }, main);
    }
    const whole: OpOf<"ffn"> = { ...sideOp, block: op.block };
    const wholeOps = isWholePossible ? [...sideOps.slice(0, -1), whole] : undefined;
    const merge = own.length === 0 && op.into === "assign" ? "copy" : "add";
    return { layer, main, side, sideOps, transfer, out: op.out, result, wholeOps, merge };
  }

  /**
   * A block that replaces its output, as one that adds to 0: then the main device's share may be left out. Its input
   * times 0 is 0, but for rows that are not finite, whose result is none either.
   */
  #addingFromZero(op: OpOf<"ffn">, main: DeviceProgram): OpOf<"ffn"> {
    this.#emit({ kind: "scale", x: op.x, out: op.out, factor: 0 }, main);
    return { ...op, into: "add" };
  }

  /** What the side's ops read before they write it themselves. */
  #inputsOf(ops: readonly Op[]): readonly Slot[] {
    const written = new Set<Slot>();
    const inputs = new Set<Slot>();
    for (const op of ops) {
      for (const slot of slotsRead(op)) if (!written.has(slot)) inputs.add(slot);
      const out = slotWritten(op);
      if (out !== undefined) written.add(out);
    }
    return [...inputs];
  }

  /** The norm that made the block's input, while its own input is unchanged: the side can do it again. */
  #normBefore({ x }: OpOf<"ffn">): Op | undefined {
    const norm = this.#norms.get(x);
    if (norm === undefined) return undefined;
    return this.#version(norm.op.x) === norm.version ? norm.op : undefined;
  }

  #finishMerge(pending: PendingMerge): void {
    const { layer, main, side, sideOps, transfer, out, result, merge } = pending;
    // Where attention runs beside the hot neurons, they cannot be left out without it.
    const wholeOps = main.opCount === 1 ? pending.wholeOps : undefined;
    const never = wholeOps === undefined ? {} : ({ onCpuPath: "never" } as const);
    this.#run(main, [], never);
    this.#actions.push(transfer);
    if (wholeOps !== undefined) {
      for (const op of wholeOps) side.add(op);
      this.#run(side, [result], { label: `ffn ${layer}`, onCpuPath: "only" });
    }
    for (const op of sideOps) side.add(op);
    this.#holders.set(result, new Set([side]));
    this.#label = `cold ffn ${layer}`;
    const bring = this.#bring([result], main, never);
    this.#actions.push(bring);
    main.add({ kind: merge, x: result, out });
    this.#wrote(out, main);
    this.#label = `merge ${layer}`;
    if (this.#merge === "apart") this.#run(main, []);
  }

  #close(segment: Segment): void {
    const { outputs } = segment;
    const holder = (slot: Slot): DeviceProgram =>
      this.#holds(this.cpu, slot) ? this.cpu : this.gpu;
    for (const device of [this.gpu, this.cpu]) {
      const own = outputs.filter((slot) => holder(slot) === device);
      for (const slot of own) {
        this.outputs.set(slot, { device: device.device, slot: device.slot(slot) });
      }
      this.#run(device, own, { label: segment.name });
    }
  }

  #note(op: Op, device: DeviceProgram): void {
    const out = slotWritten(op);
    if (out === undefined) return;
    this.#wrote(out, device);
    if (op.kind === "norm") this.#norms.set(out, { op, version: this.#version(op.x) });
    else this.#norms.delete(out);
  }

  #wrote(slot: Slot, device: DeviceProgram): void {
    this.#holders.set(slot, new Set([device]));
    this.#versions.set(slot, this.#version(slot) + 1);
  }

  #holds(device: DeviceProgram, slot: Slot): boolean {
    return this.#holders.get(slot)?.has(device) ?? false;
  }

  #version(slot: Slot): number {
    return this.#versions.get(slot) ?? 0;
  }

  /** One buffer for all layers: a result is merged before the next one is made. */
  #resultSlot({ width, rows }: Slot): Slot {
    const name = `ffn of the other device, ${rows}`;
    const known = this.#results.get(name);
    if (known !== undefined) return known;
    const slot: Slot = { id: -1, name, width, rows };
    this.#results.set(name, slot);
    return slot;
  }
}

interface Share {
  readonly own: Uint32Array;
  readonly other: Uint32Array;
}

/** An op that needs the sum, not only adds to it. */
function usesOtherwise(op: Op, slot: Slot): boolean {
  const isUsed = slotsRead(op).includes(slot) || slotWritten(op) === slot;
  return isUsed && !addsOnlyTo(op, slot);
}

/** −1: none. */
function layerAt({ layers }: Segment, op: number): number {
  return layers?.findIndex(({ first, end }) => op >= first && op < end) ?? -1;
}

function labelOf(segment: Segment, layer: number): string {
  return layer < 0 ? segment.name : `layer ${layer}`;
}

function neuronsOf(layer: PlanLayer, isWanted: (device: string) => boolean): Uint32Array {
  const ids = layer.parts
    .filter(({ device }) => isWanted(device))
    .flatMap(({ neurons }) => [...neurons]);
  return Uint32Array.from(ids).sort();
}

function checkPlacement(program: Program, placement: Placement): void {
  for (const { layers } of program.segments) {
    if (layers !== undefined && layers.length !== placement.layers.length) {
      const expected = `a placement of ${counted(layers.length, "layer")}`;
      throw new ShapeError("placement", expected, `one of ${placement.layers.length}`);
    }
  }
  for (const { block } of opsOfKind(program, "ffn")) {
    const { layer, neurons } = block;
    const placed = placement.layers[layer];
    const sharing = placed?.parts.filter((part) => part.neurons.length > 0).length ?? 0;
    if (isIndivisible(block) && sharing > 1) {
      const expected = `all neurons of layer ${layer} on one device, as they are normed together`;
      throw new ShapeError("placement", expected, `neurons on ${sharing} devices`);
    }
    if (placed !== undefined && placed.neuronCount !== neurons) {
      const expected = `${counted(neurons, "neuron")} in layer ${layer} of the placement`;
      throw new ShapeError("placement", expected, String(placed.neuronCount));
    }
  }
}
