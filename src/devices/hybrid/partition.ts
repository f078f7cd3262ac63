/**
 * Cuts a program into one for each device of a placement and the order in which their segments run. Ops stay in
 * the program's order on each device; a slot crosses when another device reads it, and only then. So a layer
 * without cold neurons or experts costs no synchronisation and a block of whole layers on the CPU costs one crossing. Keys and
 * values are stored on each device that reads them. The device with a layer's attention routes for all: ids and weights of
 * experts cross with the block's input, in one copy, so that rounding never makes two devices choose differently.
 *
 *   split layer, main device:  … | inputs out | own units, parallel attention | += y of each side, next layer …
 *   a side:                              norm, its units → y ─────────────────┘
 */
import type { PromptPath } from "../../backends/executable-report.ts";
import { activeWidth } from "../../ops/active-bits.ts";
import { predictorBytes } from "../../ops/ffn-bytes.ts";
import type { Op, Slot } from "../../ops/op.ts";
import type { Program, Segment } from "../../ops/program.ts";
import { cacheLayersOf } from "../../ops/program-ops.ts";
import { addsOnlyTo, slotsRead, slotWritten } from "../../ops/slot-access.ts";
import { cpuDevice, type DeviceId } from "../../placement/plan.ts";
import { type Action, type Partition, showingRoutes } from "./actions.ts";
import { DeviceProgram } from "./device-program.ts";
import { layerOf, type PlacedOp, placedOps, shareOf } from "./placed-op.ts";
import { checkPlacement, devicesOf, type Placement, unitsOn } from "./placement.ts";
import { SlotHolders } from "./slot-holders.ts";
import {
  type PendingMerge,
  pathsWithout,
  type RunPaths,
  type Share,
  type Side,
  streamedParts,
} from "./split-block.ts";

export interface PartitionOptions {
  /** "apart": a segment of its own for each merge, so that a timeline shows when it ended. Default "fused". */
  readonly merge?: "fused" | "apart";
  /** Another way through layers with split blocks: the CPU computes all neurons, those of the GPU too. Default false. */
  readonly cpuPath?: boolean;
  /** Another one: the card computes the CPU's neurons or experts too, in streamed segments. Default false. */
  readonly streamPath?: boolean;
}

/** @throws ShapeError when the placement is of a model with other layers, neurons or experts. */
export function partitionProgram(
  program: Program,
  placement: Placement,
  options: PartitionOptions = {},
): Partition {
  checkPlacement(program, placement);
  const partitioner = new Partitioner(program, placement, options);
  const actions = program.segments.map((segment) => partitioner.segment(segment));
  const { devices } = partitioner;
  return {
    programs: new Map(
      devices.flatMap((device) => {
        const own = device.finish(program);
        return own === undefined ? [] : [[device.device, own] as const];
      }),
    ),
    actions,
    outputs: partitioner.outputs,
    cacheLayers: (layer) =>
      devices.flatMap((own) => {
        const place = own.cacheLayer(layer);
        return place === undefined ? [] : [{ device: own.device, layer: place }];
      }),
    copies: (slot) =>
      devices
        .filter((device) => device.has(slot))
        .map((device) => ({ device: device.device, slot: device.slot(slot) })),
  };
}

class Partitioner {
  /** Cards in the order of their numbers, then the host's processor. */
  readonly devices: readonly DeviceProgram[];
  readonly outputs: Map<Slot, { readonly device: DeviceId; readonly slot: Slot }> = new Map();
  readonly #placement: Placement;
  /** By layer. */
  readonly #placed: ReadonlyMap<number, PlacedOp>;
  readonly #merge: "fused" | "apart";
  readonly #paths: readonly PromptPath[];
  readonly #slots = new SlotHolders();
  /** Slots that the program had not: results of sides, and active sets. */
  readonly #made: Map<string, Slot> = new Map();
  #actions: Action[] = [];
  #label = "";

  constructor(program: Program, placement: Placement, options: PartitionOptions) {
    this.#placement = placement;
    this.#placed = placedOps(program.segments.flatMap(({ ops }) => ops));
    this.devices = devicesOf(placement).map((device) => new DeviceProgram(device));
    this.#merge = options.merge ?? "fused";
    this.#paths = [
      "split",
      ...(options.cpuPath === true ? (["cpu"] as const) : []),
      ...(options.streamPath === true ? (["stream"] as const) : []),
    ];
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
      const placed = this.#placed.get(layer);
      const share = placed === op ? this.#shareOf(layer, device) : undefined;
      if (placed === undefined || share === undefined) {
        this.#emit(op, device);
        for (const other of this.#otherReaders(segment, op, device)) this.#emit(op, other);
        continue;
      }
      if (pending !== undefined) this.#finishMerge(pending);
      pending = this.#fork(placed, { device, share });
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
    return this.devices.filter((device) => device !== own && readers.includes(device));
  }

  /** Embeddings are looked up on the CPU: one row is read, and the table need not be on the card. */
  #deviceOf(
    segment: Segment,
    { at, layer }: { readonly at: number; readonly layer: number },
  ): DeviceProgram {
    const before = segment.layers?.[0]?.first ?? 0;
    if (at < before) return this.#named(cpuDevice);
    const placed = this.#placement.layers[layer];
    return this.#named(placed?.attentionDevice ?? this.#placement.outputDevice);
  }

  #named(device: DeviceId): DeviceProgram {
    const own = this.devices.find((candidate) => candidate.device === device);
    if (own === undefined) throw new RangeError(`the placement has no ${device}`);
    return own;
  }

  /** The units of each device when the layer is split: `own` are those of the device with its attention. */
  #shareOf(layer: number, device: DeviceProgram): Share | undefined {
    const placed = this.#placement.layers[layer];
    if (placed === undefined) return undefined;
    const sides = this.devices
      .filter((other) => other !== device)
      .map((other) => ({ device: other, units: unitsOn(placed, other.device) }))
      .filter(({ units }) => units.length > 0);
    if (sides.length === 0) return undefined;
    const isPredictedOnce = placed.predictorDevice !== undefined;
    return { own: unitsOn(placed, device.device), sides, isPredictedOnce };
  }

  #emit(op: Op, device: DeviceProgram): void {
    const missing = slotsRead(op).filter((slot) => !this.#slots.has(device, slot));
    this.#actions.push(...this.#bring(missing, device));
    device.add(op);
    const out = slotWritten(op);
    if (out !== undefined) this.#slots.wrote(out, device, op.kind === "norm" ? op : undefined);
  }

  /** Publishes slots where they are held, and returns the actions that wait for them and copy them. */
  #bring(
    slots: readonly Slot[],
    to: DeviceProgram,
    { run, transfer }: { readonly run?: RunPaths; readonly transfer?: readonly PromptPath[] } = {},
  ): readonly Action[] {
    const sourceOf = (slot: Slot): DeviceProgram | undefined => this.#slots.of(slot)[0];
    return this.devices.flatMap((from): Action[] => {
      const held = slots.filter((slot) => sourceOf(slot) === from);
      if (held.length === 0) return [];
      this.#run(from, held, run);
      const copied = held.map((slot) => ({ from: from.slot(slot), to: to.slot(slot) }));
      const crossing = {
        kind: "transfer",
        from: from.device,
        to: to.device,
        slots: copied,
      } as const;
      if (transfer !== undefined) return [{ ...crossing, paths: transfer }];
      for (const slot of held) this.#slots.copied(slot, to);
      return [crossing];
    });
  }

  #run(
    device: DeviceProgram,
    outputs: readonly Slot[],
    { label = this.#label, isStreamed = false, ...paths }: RunPaths & { isStreamed?: boolean } = {},
  ): void {
    if (device.opCount === 0 && outputs.length === 0) return;
    const segment = device.cut(label, { outputs, isStreamed });
    const hasOutputs = outputs.length > 0;
    this.#actions.push({
      kind: "run",
      device: device.device,
      segment,
      label,
      hasOutputs,
      ...paths,
    });
  }

  #fork(
    given: PlacedOp,
    { device: main, share }: { readonly device: DeviceProgram; readonly share: Share },
  ): PendingMerge {
    const { own, sides } = share;
    const isWholePossible =
      this.#paths.includes("cpu") &&
      given.kind === "ffn" &&
      own.length > 0 &&
      sides.length === 1 &&
      sides[0]?.device.device === cpuDevice;
    // Of experts, shared ones may add to the output before the sides do.
    const isReplaced = isWholePossible || (given.kind === "experts" && own.length === 0);
    const isZeroed = isReplaced && given.into === "assign";
    const placed = isZeroed ? this.#addingFromZero(given, main) : given;
    const op = share.isPredictedOnce ? this.#predictingOnce(placed, main) : placed;
    const norm = this.#slots.normOf(op.x);
    const made = sides.map(({ device, units }, index): Side => {
      const isFirst = own.length === 0 && index === 0;
      const result = this.#resultSlot(op.out, device);
      const whole: PlacedOp = { ...op, out: result, into: "assign" };
      const before = norm === undefined ? [] : [norm];
      const cold = shareOf(whole, { units, isFirst });
      const ops = [...before, cold];
      const isStreamed = this.#isStreamed(main, device);
      const inputs = this.#inputsOf(ops).filter((slot) => !this.#slots.has(device, slot));
      const transfers = this.#bring(inputs, device, isStreamed ? this.#unlessStreamed() : {});
      return {
        device,
        ops,
        transfers: this.#showing(op, main, transfers),
        result,
        wholeOps: isWholePossible ? [...before, whole] : undefined,
        streamedOps: isStreamed ? streamedParts(cold, units) : [],
        merge: isFirst && op.into === "assign" ? "copy" : "add",
      };
    });
    // What came before the block is no part of it, whether or not anything crosses.
    this.#run(main, []);
    const layer = layerOf(op);
    const { kind: name } = op;
    // Before hot neurons are added to what the predictor reads.
    for (const streamed of made.flatMap(({ streamedOps }) => streamedOps)) main.add(streamed);
    const label = `streamed ${name} ${layer}`;
    this.#run(main, [], { label, paths: ["stream"], isStreamed: true });
    if (own.length > 0) {
      this.#label = `hot ${name} ${layer}`;
      this.#emit(shareOf(op, { units: own, isFirst: true }), main);
    }
    return { layer, name, main, sides: made, out: op.out };
  }

  /** Whether a card can compute what the processor would, from weights that come to it. */
  #isStreamed(main: DeviceProgram, { device }: DeviceProgram): boolean {
    return this.#paths.includes("stream") && main.device !== cpuDevice && device === cpuDevice;
  }

  /** What is asked for to be copied to a device that has no part in the path that streams. */
  #unlessStreamed(): { readonly run: RunPaths; readonly transfer: readonly PromptPath[] } {
    const others = this.#paths.filter((path) => path !== "stream");
    return { run: { unreadOn: ["stream"] }, transfer: others };
  }

  /**
   * A block that replaces its output, as one that adds to 0: then the main device's share may be left out. Its input
   * times 0 is 0, but for rows that are not finite, whose result is none either.
   */
  #addingFromZero(op: PlacedOp, main: DeviceProgram): PlacedOp {
    this.#emit({ kind: "scale", x: op.x, out: op.out, factor: 0 }, main);
    return { ...op, into: "add" };
  }

  #showing(op: PlacedOp, main: DeviceProgram, actions: readonly Action[]): readonly Action[] {
    if (op.kind !== "experts") return actions;
    return showingRoutes(actions, { layer: layerOf(op), slot: main.slot(op.routes) });
  }

  /** The block as one that is given its active set, which the main device predicts; other methods need no predictor. */
  #predictingOnce(op: PlacedOp, main: DeviceProgram): PlacedOp {
    if (op.kind === "experts") return op;
    const { block, x } = op;
    const { method, layer, neurons } = block;
    if (method.kind !== "mlp" && method.kind !== "sign") return op;
    const width = activeWidth(neurons);
    const active = this.#madeSlot({ name: `active set, ${x.rows}`, width, rows: x.rows });
    this.#emit({ kind: "predict", x, out: active, layer, neurons, predictor: method }, main);
    const given = { kind: "given", active, predictorBytes: predictorBytes(method) } as const;
    return { ...op, block: { ...block, method: given } };
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

  #finishMerge({ layer, name, main, sides, out }: PendingMerge): void {
    // Where attention runs beside the hot neurons, they cannot be left out without it.
    const hasCpuPath = main.opCount === 1 && sides.every(({ wholeOps }) => wholeOps !== undefined);
    const onCpu = hasCpuPath && "cpu";
    this.#run(main, [], pathsWithout(this.#paths, onCpu));
    for (const { device, ops, transfers, result, wholeOps = [], streamedOps } of sides) {
      this.#actions.push(...transfers);
      // What it has to do on every path is no part of what it does on some.
      if (hasCpuPath || streamedOps.length > 0) this.#run(device, []);
      if (hasCpuPath) {
        for (const op of wholeOps) device.add(op);
        this.#run(device, [result], { label: `${name} ${layer}`, paths: ["cpu"] });
      }
      for (const op of ops) device.add(op);
      this.#slots.made(result, device);
    }
    this.#label = `cold ${name} ${layer}`;
    for (const { result, merge, streamedOps } of sides) {
      const onCard = streamedOps.length > 0 && "stream";
      const run = pathsWithout(this.#paths, onCpu, onCard);
      const { paths: transfer } = pathsWithout(this.#paths, onCard);
      this.#actions.push(...this.#bring([result], main, { run, ...(transfer && { transfer }) }));
      main.add({ kind: merge, x: result, out });
      this.#slots.wrote(out, main);
    }
    this.#label = `merge ${layer}`;
    if (this.#merge === "apart") this.#run(main, []);
  }

  #close(segment: Segment): void {
    const { outputs } = segment;
    const holder = (slot: Slot): DeviceProgram =>
      this.devices.findLast((device) => this.#slots.has(device, slot)) ?? this.#named(cpuDevice);
    for (const device of this.devices) {
      const own = outputs.filter((slot) => holder(slot) === device);
      for (const slot of own) {
        this.outputs.set(slot, { device: device.device, slot: device.slot(slot) });
      }
      this.#run(device, own, { label: segment.name });
    }
  }

  /** One buffer for all layers: a result is merged before the next one is made. */
  #resultSlot({ width, rows }: Slot, { device }: DeviceProgram): Slot {
    return this.#madeSlot({ name: `ffn of ${device}, ${rows}`, width, rows });
  }

  /** One for all layers that want such a slot. */
  #madeSlot(wanted: Omit<Slot, "id">): Slot {
    const known = this.#made.get(`${wanted.name}, ${wanted.width}`);
    if (known !== undefined) return known;
    const slot: Slot = { id: -1, ...wanted };
    this.#made.set(`${wanted.name}, ${wanted.width}`, slot);
    return slot;
  }
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
