/** Cases of what layers may have of their own: windows in rings, soft caps, sinks, heads, keys and values of other widths. */
import { type KvHeads, type KvLayer, type KvType, windowLayer } from "../../ops/kv-shape.ts";
import type { Op, OpOf, Slot } from "../../ops/op.ts";
import type { Program } from "../../ops/program.ts";
import type { CaseAction, CaseScript, ConformanceCase } from "./case.ts";
import { createCaseData } from "./case-data.ts";
import { createProgramBuilder, memoryWeight, type StepRow, stepOf } from "./program-builder.ts";

export function attentionLayerCases(): readonly ConformanceCase[] {
  return [
    layerCase("through windows in rings that turn", "f32", () => ringScript("f32")),
    layerCase("through windows in rings that turn", "f16", () => ringScript("f16")),
    layerCase("through windows in rings that turn", "q8_0", () => ringScript("q8_0")),
    layerCase("through rings that go back to checkpoints", "f32", () => checkpointScript("f32")),
    layerCase("through rings that go back to checkpoints", "q8_0", () => checkpointScript("q8_0")),
    layerCase("through windows of the context and longer", "f16", wideScript),
    layerCase("with capped scores and sinks, in steps and in parts", "f32", capScript),
    layerCase("with heads of its own in each layer", "f32", () => headsScript("f32", 36)),
    layerCase("with heads of its own in each layer", "f16", () => headsScript("f16", 300)),
    layerCase("with heads of its own in each layer", "q8_0", () => headsScript("q8_0", 96)),
  ];
}

function layerCase(what: string, type: KvType, build: () => CaseScript): ConformanceCase {
  // Without a cache type a case is in every sample: that of f32 rings, which copies sequences too.
  const isInSample = type === "f32" && what.includes("rings");
  const traits = { op: "attention", ...(!isInSample && { kvType: type }) } as const;
  return { name: `attention over ${type} ${what}`, scale: "small", traits, build };
}

/** One layer of the program: its state, its heads, and what its attention has besides. */
interface LayerCase {
  readonly state: Extract<KvLayer, KvHeads>;
  readonly heads: number;
  readonly scale?: number;
  readonly softCap?: number;
  /** One for each head. */
  readonly sinks?: readonly number[];
  readonly window?: number;
  /** It reads what this layer stores. */
  readonly cacheOf?: number;
}

interface LayersModel {
  readonly program: Program;
  /** Random q, k and v of every layer for these rows, and a run over them; "queue": one that nobody looks at. */
  run(rows: readonly StepRow[], how?: "run" | "queue", spoil?: SpoiltRow): readonly CaseAction[];
}

/** A row whose keys and values are NaN. */
type SpoiltRow = number | undefined;

function layersModel(
  layers: readonly LayerCase[],
  limits: {
    readonly type: KvType;
    readonly contextLength: number;
    readonly sequences: number;
    readonly checkpoints?: number;
    readonly maxRows: number;
  },
): LayersModel {
  const { type, contextLength, sequences, checkpoints = 0, maxRows } = limits;
  const builder = createProgramBuilder();
  const made = layers.map((layer, index) => layerOps(builder.slot, layer, index));
  builder.segment(
    made.flatMap(({ ops }) => ops),
    made.map(({ out }) => out),
  );
  const states = layers.map(
    ({ state, cacheOf }): KvLayer => (cacheOf === undefined ? state : { kind: "none" }),
  );
  const kv = { layers: states, contextLength, sequences, checkpoints, type };
  const program = builder.build({ maxRows, kv });
  const data = createCaseData(contextLength + layers.length);
  const write = (slot: Slot, count: number, spoilt: SpoiltRow): CaseAction => {
    const values = data.normal(count * slot.width);
    if (spoilt !== undefined) {
      values.fill(Number.NaN, spoilt * slot.width, (spoilt + 1) * slot.width);
    }
    return { kind: "write", slot, data: values };
  };
  return {
    program,
    run: (rows, how = "run", spoilt = undefined) => [
      ...made.flatMap(({ q, k, v }) => [
        write(q, rows.length, undefined),
        write(k, rows.length, spoilt),
        write(v, rows.length, spoilt),
      ]),
      { kind: how, segment: 0, step: stepOf(program, rows) },
    ],
  };
}

interface LayerSlots {
  readonly q: Slot;
  readonly k: Slot;
  readonly v: Slot;
  readonly out: Slot;
  readonly ops: readonly Op[];
}

function layerOps(
  slot: (name: string, width: number) => Slot,
  { state, heads, sinks, scale, softCap, window, cacheOf }: LayerCase,
  index: number,
): LayerSlots {
  const layer = cacheOf ?? index;
  const { kvHeads, keyWidth, valueWidth } = state;
  const q = slot(`q ${index}`, heads * keyWidth);
  const k = slot(`k ${index}`, kvHeads * keyWidth);
  const v = slot(`v ${index}`, kvHeads * valueWidth);
  const out = slot(`out ${index}`, heads * valueWidth);
  const attention: OpOf<"attention"> = {
    kind: "attention",
    layer,
    q,
    out,
    heads,
    scale: scale ?? 1 / Math.sqrt(keyWidth),
    ...(window !== undefined && { window }),
    ...(softCap !== undefined && { softCap }),
    ...(sinks && {
      sinks: memoryWeight(`sinks ${index}`, "F32", [1, heads], Float32Array.from(sinks)),
    }),
  };
  const store = { kind: "store-kv", layer, k, v } as const;
  return { q, k, v, out, ops: cacheOf === undefined ? [store, attention] : [attention] };
}

/** A ring of 64 cells under a window of 40. */
export function smallRingModel(): Pick<LayersModel, "program" | "run"> {
  const limits = { type: "f32", contextLength: 200, sequences: 1, maxRows: 24 } as const;
  return layersModel([windowed(40, limits)], limits);
}

/** `count` rows of one sequence from a position on. */
function span(sequence: number, from: number, count: number): readonly StepRow[] {
  return Array.from({ length: count }, (_, i) => ({ sequence, position: from + i }));
}

function windowed(
  window: number,
  limits: { readonly contextLength: number; readonly maxRows: number },
): LayerCase {
  const state = windowLayer({ kvHeads: 2, keyWidth: 32, valueWidth: 32, window }, limits);
  return { state, heads: 4, window };
}

/**
 * Windows of 1 and of 40 in rings of 64 cells: they turn three times. Position 3 is NaN, and no row that is looked at
 * may see it. Then the sequence goes back as far as its rings allow, is copied, and begins anew in the middle of a turn.
 * A third layer reads the keys and values of the first.
 */
function ringScript(type: KvType): CaseScript {
  const limits = { type, contextLength: 200, sequences: 2, maxRows: 24 };
  const own = windowed(40, limits);
  const model = layersModel([own, windowed(1, limits), { ...own, heads: 2, cacheOf: 0 }], limits);
  const spoilt = type === "q8_0" ? undefined : 3;
  const chunks = Array.from({ length: 5 }, (_, i) => span(0, 24 * (i + 2), 24));
  return {
    program: model.program,
    actions: [
      ...model.run(span(0, 0, 24), "queue", spoilt),
      ...model.run(span(0, 24, 19), "queue"),
      // The first row that does not see position 3.
      ...model.run(span(0, 43, 1)),
      ...model.run(span(0, 44, 4)),
      ...chunks.flatMap((rows) => model.run(rows)),
      // 168 positions are stored: 64 cells and a window of 40 reach back to 143.
      ...model.run(span(0, 143, 3)),
      { kind: "copy-sequence", from: 0, to: 1, length: 146 },
      ...model.run([...span(0, 146, 1), ...span(1, 146, 1)]),
      ...model.run([...span(0, 147, 14), ...span(1, 147, 9)]),
      ...model.run(span(0, 0, 24)),
      ...model.run([...span(0, 24, 1), ...span(1, 156, 1)]),
    ],
  };
}

/**
 * Rings of 64 cells, and a layer of all positions. A sequence goes back further than its rings hold, another goes on from
 * its checkpoint, and what they write then harms neither the slot nor each other.
 */
function checkpointScript(type: KvType): CaseScript {
  const limits = { type, contextLength: 200, sequences: 2, checkpoints: 2, maxRows: 24 };
  const full = { kind: "full", kvHeads: 1, keyWidth: 32, valueWidth: 32 } as const;
  const model = layersModel([windowed(40, limits), { state: full, heads: 2 }], limits);
  const further = (sequence: number, from: number, to: number): readonly CaseAction[] =>
    Array.from({ length: Math.ceil((to - from) / 24) }, (_, i) => from + 24 * i).flatMap((at) =>
      model.run(span(sequence, at, Math.min(24, to - at)), "queue"),
    );
  return {
    program: model.program,
    actions: [
      ...further(0, 0, 70),
      { kind: "save-state", sequence: 0, slot: 1 },
      ...further(0, 70, 160),
      { kind: "copy-sequence", from: 0, to: 1, length: 70 },
      { kind: "restore-state", slot: 1, sequence: 1 },
      ...model.run([...span(0, 160, 1), ...span(1, 70, 5)]),
      { kind: "save-state", sequence: 1, slot: 0 },
      { kind: "restore-state", slot: 1, sequence: 0 },
      ...model.run([...span(0, 70, 1), ...span(1, 75, 1)]),
      ...further(0, 71, 140),
      { kind: "restore-state", slot: 1, sequence: 0 },
      // Of the 70 positions the ring holds 6 to 69.
      ...model.run(span(0, 45, 2)),
      { kind: "restore-state", slot: 0, sequence: 1 },
      ...model.run(span(1, 75, 3)),
    ],
  };
}

/** As long as the context, longer, and longer than 32 bits of cells would be. */
function wideScript(): CaseScript {
  const limits = { type: "f16", contextLength: 40, sequences: 1, maxRows: 33 } as const;
  const windows = [39, 40, 41, 2 ** 31 - 1];
  const model = layersModel(
    windows.map((window) => windowed(window, limits)),
    limits,
  );
  const rows = [span(0, 0, 33), span(0, 33, 1), span(0, 34, 5), span(0, 39, 1)];
  return { program: model.program, actions: rows.flatMap((step) => model.run(step)) };
}

/** Scores of ±6 under a cap of 2; sinks that take little, half and nearly all; enough positions to be cut in parts. */
function capScript(): CaseScript {
  const limits = { type: "f32", contextLength: 340, sequences: 1, maxRows: 128 } as const;
  const state = { kind: "full", kvHeads: 1, keyWidth: 16, valueWidth: 16 } as const;
  const sinks = [-30, 1, 9];
  const model = layersModel(
    [
      { state, heads: 3, scale: 1.5, softCap: 2 },
      { state, heads: 3, sinks },
      { ...windowed(150, limits), heads: 4, softCap: 30, sinks: [...sinks, -1e30] },
    ],
    limits,
  );
  return {
    program: model.program,
    actions: [
      ...model.run(span(0, 0, 1)),
      ...model.run(span(0, 1, 33)),
      ...model.run(span(0, 34, 128), "queue"),
      ...model.run(span(0, 162, 128), "queue"),
      ...model.run(span(0, 290, 1)),
      ...model.run(span(0, 291, 3)),
      ...model.run(span(0, 294, 20)),
    ],
  };
}

/** Keys wider than values and narrower, other numbers of heads, tiles of other sizes, and two layers on one cache. */
function headsScript(type: KvType, narrow: number): CaseScript {
  const limits = { type, contextLength: 48, sequences: 2, maxRows: 33 };
  const kind = "full";
  const shared = { kind, kvHeads: 2, keyWidth: 64, valueWidth: 32 } as const;
  const model = layersModel(
    [
      { state: shared, heads: 4 },
      { state: { kind, kvHeads: 1, keyWidth: narrow, valueWidth: 128 }, heads: 5 },
      { state: { kind, kvHeads: 3, keyWidth: 32, valueWidth: narrow }, heads: 3 },
      { state: shared, heads: 6, scale: 0.5, cacheOf: 0 },
    ],
    limits,
  );
  return {
    program: model.program,
    actions: [
      ...model.run(span(0, 0, 33)),
      ...model.run(span(0, 33, 1)),
      { kind: "copy-sequence", from: 0, to: 1, length: 30 },
      ...model.run([...span(0, 34, 5), ...span(1, 30, 2)]),
    ],
  };
}
