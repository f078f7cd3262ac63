/**
 * Ops → the plain numbers that the addon builds stages from. The codes and their fields are those of
 * native/runtime/program.h, in the same order. Shapes have been judged by ops/check-program.ts.
 */
import { UnsupportedError } from "../../core/errors.ts";
import type { Op } from "../../ops/op.ts";
import type { KvShape, KvType, Program, Segment } from "../../ops/program.ts";
import { slotWritten } from "../../ops/slot-access.ts";
import type { AddonProgram } from "./addon.ts";
import { checkLimits } from "./check-limits.ts";
import { activationNumbers, gatingCode, lowerFfn } from "./lower-ffn.ts";
import type { MappedFiles } from "./mapped-files.ts";
import { createWeightTable, type WeightTable } from "./weight-table.ts";

export interface LoweredProgram {
  readonly program: AddonProgram;
  readonly weightBytes: { readonly mapped: number; readonly copied: number };
}

const kvTypeCode: Readonly<Record<KvType, number>> = { f32: 0, f16: 1, q8_0: 8 };
const publishCode = 12;

/** @throws ShapeError, UnsupportedError or FileFormatError. */
export function lowerProgram(program: Program, files: MappedFiles): LoweredProgram {
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
      slots: lowerSlots(program, published),
      sources: table.sources,
      weights: table.numbers(),
      arrays: table.arrays,
      segments,
    },
    weightBytes: table.bytes(),
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
  const flag = (value: boolean): number => (value ? 1 : 0);
  return Float64Array.from(
    program.slots.flatMap(({ id, width, rows }) => [
      width,
      flag(rows === "outputs"),
      flag(outputs.has(id)),
      flag(published.has(id)),
    ]),
  );
}

function lowerKv(kv: KvShape): Float64Array {
  return Float64Array.of(
    kv.layers,
    kv.kvHeads,
    kv.headDim,
    kv.contextLength,
    kv.sequences,
    kvTypeCode[kv.type],
  );
}

interface Lowering {
  readonly table: WeightTable;
  readonly published: ReadonlySet<number>;
}

function lowerSegment(segment: Segment, { table, published }: Lowering): readonly number[] {
  const copies = segment.outputs
    .filter(({ id }) => published.has(id))
    .flatMap(({ id }) => [publishCode, id]);
  return [...segment.ops.flatMap((op) => lowerOp(op, table)), ...copies];
}

function lowerOp(op: Op, table: WeightTable): readonly number[] {
  switch (op.kind) {
    case "embed": {
      const { out, positions, scale } = op;
      const weights = [table.add(op.table), table.add(positions?.weight)];
      return [0, out.id, ...weights, positions?.offset ?? 0, scale];
    }
    case "norm": {
      const weights = [table.add(op.weight), table.add(op.bias)];
      const form = op.form === "rms" ? 0 : 1;
      return [1, form, op.x.id, op.out.id, op.groups, ...weights, op.epsilon];
    }
    case "matmul": {
      const adds = op.into === "add" ? 1 : 0;
      const weights = [table.add(op.weight), table.add(op.bias), table.add(op.channels)];
      return [2, op.x.id, op.out.id, adds, ...weights];
    }
    case "rope": {
      const pairing = op.pairing === "adjacent" ? 0 : 1;
      return [3, op.x.id, op.heads, pairing, table.addArray(op.frequencies), op.magnitude];
    }
    case "store-kv":
      return [4, op.layer, op.k.id, op.v.id];
    case "attention":
      return [5, op.layer, op.q.id, op.out.id, op.heads, op.scale];
    case "activate": {
      const slots = [op.gate?.id ?? -1, op.up.id, op.out.id];
      return [6, gatingCode(op.gating), ...activationNumbers(op.activation), ...slots];
    }
    case "ffn":
      return [7, op.x.id, op.out.id, op.into === "add" ? 1 : 0, ...lowerFfn(op.block, table)];
    case "add":
      return [8, op.x.id, op.out.id];
    case "copy":
      return [9, op.x.id, op.out.id];
    case "select":
      return [10, op.x.id, op.out.id];
    case "argmax":
      return [11, op.x.id, op.out.id];
    case "mask": {
      const norms = op.norms === undefined ? -1 : table.addArray(op.norms);
      return [13, op.x.id, op.out.id, op.value, norms];
    }
    case "top-k":
      throw new UnsupportedError("top-k in native code", ["top-k.ts"]);
    default:
      return op satisfies never;
  }
}
