/** Cases of whole programs: segments, writes between them, calls not waited for, and a small model from end to end. */
import type { WeightType } from "../../core/dtype.ts";
import type { Op, Slot } from "../../ops/op.ts";
import type { CaseAction, CaseScript, ConformanceCase } from "./case.ts";
import { type CaseData, createCaseData } from "./case-data.ts";
import { makeFfnBlock } from "./ffn-block.ts";
import { createProgramBuilder, memoryWeight, sameLayers, stepOf } from "./program-builder.ts";

export function programCases(): readonly ConformanceCase[] {
  const traits = { op: "program" } as const;
  return [
    {
      name: "runs segments in the order of the calls, with writes between them that replace only a beginning",
      scale: "small",
      traits,
      build: segmentsScript,
    },
    {
      name: "runs calls that are not waited for in their order",
      scale: "small",
      traits,
      build: queueScript,
    },
    ...(["F32", "F16"] as const).map(
      (type): ConformanceCase => ({
        name: `runs a model of one ${type} layer: prefill, decode, two sequences in one step`,
        scale: "small",
        traits: { op: "program", weightType: type, kvType: "f32" },
        build: () => modelScript(type),
      }),
    ),
  ];
}

const oneRow = [{}];

function segmentsScript(): CaseScript {
  const data = createCaseData(20);
  const builder = createProgramBuilder();
  const [x, y] = [builder.slot("x", 40), builder.slot("y", 40)];
  builder.segment([{ kind: "copy", x, out: y }], [y]);
  builder.segment([{ kind: "add", x, out: y }], [y]);
  const program = builder.build({ maxRows: 4 });
  const step = stepOf(program, [{}, {}, {}]);
  const write = (slot: Slot, length: number): CaseAction => ({
    kind: "write",
    slot,
    data: data.normal(length),
  });
  const actions: CaseAction[] = [
    write(x, 120),
    { kind: "run", segment: 0, step },
    write(x, 40),
    { kind: "run", segment: 1, step },
    write(y, 7),
    { kind: "run", segment: 1, step },
    { kind: "run", segment: 1, step: stepOf(program, oneRow) },
    { kind: "run", segment: 0, step },
  ];
  return { program, actions };
}

/** y += x ten times, each with another x, before anybody looks. */
function queueScript(): CaseScript {
  const data = createCaseData(21);
  const builder = createProgramBuilder();
  const [x, y] = [builder.slot("x", 64), builder.slot("y", 64)];
  builder.segment([{ kind: "add", x, out: y }], [y]);
  const program = builder.build({ maxRows: 2 });
  const step = stepOf(program, [{}, {}]);
  const writes = Array.from({ length: 10 }, (): CaseAction[] => [
    { kind: "write", slot: x, data: data.normal(128) },
    { kind: "queue", segment: 0, step },
  ]);
  return { program, actions: [...writes.flat(), { kind: "run", segment: 0, step }] };
}

const dim = 16;
const headDim = 8;
const heads = 2;
const kvHeads = 1;
const vocabulary = 90;

/**
 * From embedding to logits. Bounds of a chain grow by the norm of each matrix, and through the steps of an f16 cache:
 * after a second layer they would be larger than the signal and the case would test nothing.
 */
function modelScript(type: WeightType): CaseScript {
  const data = createCaseData(22);
  const builder = createProgramBuilder();
  const residual = builder.slot("residual", dim);
  const last = builder.slot("last", dim, "outputs");
  const logits = builder.slot("logits", vocabulary, "outputs");
  const table = memoryWeight("table", type, [vocabulary, dim], data.normal(vocabulary * dim));
  const layerSlots = makeLayerSlots(builder.slot);
  const ops: Op[] = [
    { kind: "embed", out: residual, table, scale: 1 },
    ...layerOps({ type, data, residual, ...layerSlots }),
    { kind: "select", x: residual, out: last },
    { kind: "norm", form: "rms", x: last, out: last, groups: 1, epsilon: 1e-6 },
    { kind: "matmul", x: last, out: logits, into: "assign", weight: table },
  ];
  builder.segment(ops, [logits]);
  const limits = { contextLength: 16, sequences: 2, type: "f32" } as const;
  const kv = sameLayers({ layers: 1, kvHeads, headDim, ...limits });
  const program = builder.build({ maxRows: 9, maxOutputs: 2, kv });
  const rows = (sequence: number, from: number, count: number) =>
    Array.from({ length: count }, (_, i) => ({
      sequence,
      position: from + i,
      token: data.random.integer(vocabulary),
    }));
  const steps = [
    stepOf(program, rows(0, 0, 9), [8]),
    stepOf(program, rows(1, 0, 5), []),
    stepOf(program, [...rows(0, 9, 1), ...rows(1, 5, 3)], [0, 3]),
    stepOf(program, rows(0, 10, 1), [0]),
  ];
  return { program, actions: steps.map((step) => ({ kind: "run", segment: 0, step })) };
}

interface LayerSlots {
  readonly normed: Slot;
  readonly q: Slot;
  readonly k: Slot;
  readonly v: Slot;
  readonly mixed: Slot;
}

function makeLayerSlots(slot: (name: string, width: number) => Slot): LayerSlots {
  return {
    normed: slot("normed", dim),
    q: slot("q", heads * headDim),
    k: slot("k", kvHeads * headDim),
    v: slot("v", kvHeads * headDim),
    mixed: slot("mixed", heads * headDim),
  };
}

/** A llama layer: norm, attention with rotated heads, residual; norm, gated block, residual. */
function layerOps(
  parts: LayerSlots & {
    readonly type: WeightType;
    readonly data: CaseData;
    readonly residual: Slot;
  },
): readonly Op[] {
  const { type, data, residual, normed, q, k, v, mixed } = parts;
  const project = (x: Slot, out: Slot, into: "assign" | "add"): Op => {
    const values = data.normal(out.width * x.width, 1 / Math.sqrt(x.width));
    const weight = memoryWeight(out.name, type, [out.width, x.width], values);
    return { kind: "matmul", x, out, into, weight };
  };
  const norm: Op = {
    kind: "norm",
    form: "rms",
    x: residual,
    out: normed,
    groups: 1,
    epsilon: 1e-6,
  };
  const frequencies = new Float32Array(headDim / 2).map((_, i) => 100 ** ((-2 * i) / headDim));
  const rope = (x: Slot, count: number): Op => {
    return { kind: "rope", x, heads: count, pairing: "halves", frequencies, magnitude: 1 };
  };
  const form = { gating: "gated", activation: { kind: "silu" }, method: "dense" } as const;
  const sizes = { type, dim, neurons: 8, isSubset: false, hasBiases: false } as const;
  const shape = { ...form, ...sizes, downLayout: "columns" } as const;
  return [
    norm,
    project(normed, q, "assign"),
    project(normed, k, "assign"),
    project(normed, v, "assign"),
    rope(q, heads),
    rope(k, kvHeads),
    { kind: "store-kv", layer: 0, k, v },
    { kind: "attention", layer: 0, q, out: mixed, heads, scale: 1 / Math.sqrt(headDim) },
    project(mixed, residual, "add"),
    norm,
    {
      kind: "ffn",
      x: normed,
      out: residual,
      into: "add",
      block: makeFfnBlock(shape, data, normed),
    },
  ];
}
