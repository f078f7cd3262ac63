/**
 * Ops → the plain numbers that the addon builds stages from: records by the names of program-records.ts. Shapes have been
 * judged by ops/check-program.ts.
 */
import { UnsupportedError } from "../../core/errors.ts";
import { type ByKind, functionFor } from "../../ops/by-kind.ts";
import { cellsOf, type KvShape, placesOf, recurrentLayer } from "../../ops/kv-shape.ts";
import type { Program, Segment } from "../../ops/program.ts";
import { slotWritten } from "../../ops/slot-access.ts";
import type { AddonProgram } from "../addon.ts";
import { checkLimits } from "./check-limits.ts";
import { lowerExperts, lowerRoute } from "./lower-experts.ts";
import { flag, lowerActivation, lowerFfn, lowerPredict } from "./lower-ffn.ts";
import type { MappedFiles } from "./mapped-files.ts";
import { choiceCodes, listRecord, opRecord } from "./program-records.ts";
import { createWeightTable, type FileStretch, type WeightTable } from "./weight-table.ts";

export interface LoweredProgram {
  readonly program: AddonProgram;
  readonly weightBytes: { readonly mapped: number; readonly copied: number };
  readonly stretches: readonly FileStretch[];
}

/** @throws ShapeError, UnsupportedError or FileFormatError. */
export function lowerProgram(program: Program, files: Pick<MappedFiles, "open">): LoweredProgram {
  checkLimits(program);
  const table = createWeightTable(files);
  const published = publishedSlots(program);
  const segments = program.segments.map((segment) =>
    Float64Array.from(lowerSegment(segment, { table, published })),
  );
  return {
    program: {
      maxRows: program.maxRows,
      maxOutputs: program.maxOutputs,
      kv: lowerKv(program.kv),
      kvLayers: lowerKvLayers(program.kv),
      stateLayers: lowerStateLayers(program.kv),
      slots: lowerSlots(program, published),
      sources: table.sources,
      weights: table.numbers(),
      arrays: table.arrays,
      segments,
    },
    weightBytes: table.bytes(),
    stretches: table.stretches(),
  };
}

/** Outputs that more than one segment writes: the host gets a copy of its own. Others are read where they lie. */
function publishedSlots(program: Program): ReadonlySet<number> {
  const writers = new Map<number, Set<Segment>>();
  for (const segment of program.segments) {
    for (const op of segment.ops) {
      const id = slotWritten(op)?.id;
      if (id === undefined) continue;
      writers.set(id, (writers.get(id) ?? new Set()).add(segment));
    }
  }
  const isShared = (id: number, segment: Segment): boolean => {
    const of = writers.get(id);
    return of === undefined || of.size > 1 || !of.has(segment);
  };
  const outputs = program.segments.flatMap((segment) =>
    segment.outputs.map((slot) => ({ segment, id: slot.id })),
  );
  return new Set(outputs.filter(({ id, segment }) => isShared(id, segment)).map(({ id }) => id));
}

function lowerSlots(program: Program, published: ReadonlySet<number>): Float64Array {
  const outputs = new Set(program.segments.flatMap(({ outputs }) => outputs.map(({ id }) => id)));
  return Float64Array.from(
    program.slots.flatMap(({ id, width, rows }) =>
      listRecord("slot", {
        width,
        outputs: flag(rows === "outputs"),
        host: flag(outputs.has(id)),
        published: flag(published.has(id)),
      }),
    ),
  );
}

function lowerKv({ type }: KvShape): Float64Array {
  return Float64Array.from(listRecord("kv", { type: choiceCodes.kvType[type] }));
}

const noCells = { kvHeads: 0, keyWidth: 0, valueWidth: 0, cells: 0, places: 0 };

function lowerKvLayers(kv: KvShape): Float64Array {
  return Float64Array.from(
    kv.layers.flatMap((_, layer) => listRecord("kvLayer", cellsOf(kv, layer) ?? noCells)),
  );
}

function lowerStateLayers(kv: KvShape): Float64Array {
  return Float64Array.from(
    kv.layers.flatMap((_, layer) => {
      const own = recurrentLayer(kv, layer);
      const { conv, state } = own ?? noState;
      const states = own === undefined ? 0 : placesOf(kv);
      return listRecord("stateLayer", { states, ...conv, ...state });
    }),
  );
}

const noState = {
  conv: { positions: 0, channels: 0 },
  state: { heads: 0, rows: 0, columns: 0 },
};

function lowerSegment(
  segment: Segment,
  { table, published }: { readonly table: WeightTable; readonly published: ReadonlySet<number> },
): readonly number[] {
  const copies = segment.outputs
    .filter(({ id }) => published.has(id))
    .flatMap(({ id }) => opRecord("publish", { slot: id }));
  const ops = segment.ops.flatMap((op) => functionFor(lowerings, op)(op, table));
  return [...ops, ...copies];
}

const lowerings: ByKind<readonly [WeightTable], readonly number[]> = {
  embed: ({ out, table, positions, scale }, weights) =>
    opRecord("embed", {
      out: out.id,
      table: weights.add(table),
      positions: weights.add(positions?.weight),
      offset: positions?.offset ?? 0,
      scale,
    }),
  norm: ({ form, x, out, groups, weight, bias, epsilon }, weights) =>
    opRecord("norm", {
      form: choiceCodes.normForm[form],
      x: x.id,
      out: out.id,
      groups,
      weight: weights.add(weight),
      bias: weights.add(bias),
      epsilon,
    }),
  matmul: ({ x, out, into, weight, bias, channels }, weights) =>
    opRecord("matmul", {
      x: x.id,
      out: out.id,
      adds: flag(into === "add"),
      weight: weights.add(weight),
      bias: weights.add(bias),
      channels: weights.add(channels),
    }),
  rope: ({ x, heads, pairing, frequencies, magnitude }, weights) =>
    opRecord("rope", {
      x: x.id,
      heads,
      pairing: choiceCodes.ropePairing[pairing],
      frequencies: weights.addArray(frequencies),
      magnitude,
    }),
  "store-kv": ({ layer, k, v }) => opRecord("store-kv", { layer, k: k.id, v: v.id }),
  attention: ({ layer, q, out, heads, scale, window = 0, softCap = 0, sinks }, weights) =>
    opRecord("attention", {
      layer,
      q: q.id,
      out: out.id,
      heads,
      scale,
      window,
      softCap,
      sinks: weights.add(sinks),
    }),
  convolve: ({ layer, x, out, weight }, weights) =>
    opRecord("convolve", { layer, x: x.id, out: out.id, weight: weights.add(weight) }),
  "delta-rule": (
    { layer, x, decay, strength, out, keyHeads, keyRun, rate, bias, epsilon },
    weights,
  ) =>
    opRecord("delta-rule", {
      layer,
      x: x.id,
      decay: decay.id,
      strength: strength.id,
      out: out.id,
      keyHeads,
      keyRun,
      rate: weights.add(rate),
      bias: weights.add(bias),
      epsilon,
    }),
  activate: ({ gating, activation, gate, up, out }) =>
    opRecord("activate", {
      ...lowerActivation(gating, activation),
      gate: gate?.id ?? -1,
      up: up.id,
      out: out.id,
    }),
  ffn: lowerFfn,
  predict: lowerPredict,
  route: lowerRoute,
  experts: lowerExperts,
  mask: ({ x, out, value, norms }, weights) =>
    opRecord("mask", { x: x.id, out: out.id, value, norms: weights.addArray(norms) }),
  add: ({ x, out, factor = 1 }) => opRecord("add", { x: x.id, out: out.id, factor }),
  scale: ({ x, out, factor, cap = 0, byPosition }, weights) =>
    opRecord("scale", {
      x: x.id,
      out: out.id,
      factor,
      cap,
      length: byPosition?.length ?? 1,
      factors: weights.addArray(byPosition?.factors),
      factorCount: byPosition?.factors.length ?? 0,
    }),
  copy: ({ x, out }) => opRecord("copy", { x: x.id, out: out.id }),
  part: ({ x, out, groups, first }) => opRecord("part", { x: x.id, out: out.id, groups, first }),
  select: ({ x, out }) => opRecord("select", { x: x.id, out: out.id }),
  argmax: ({ x, out }) => opRecord("argmax", { x: x.id, out: out.id }),
  "top-k": () => {
    throw new UnsupportedError("top-k in native code", ["top-k.ts"]);
  },
};
