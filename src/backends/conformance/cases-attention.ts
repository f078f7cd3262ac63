/** Cases of the KV cache and attention: head shapes, cache types, sequences, long contexts, reuse and copies. */

import type { KvType } from "../../ops/kv-shape.ts";
import type { Op, Slot } from "../../ops/op.ts";
import type { Program } from "../../ops/program.ts";
import type { CaseAction, CaseScript, ConformanceCase } from "./case.ts";
import { createCaseData } from "./case-data.ts";
import { createProgramBuilder, type StepRow, sameLayers, stepOf } from "./program-builder.ts";

interface HeadShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/** GQA ratios 1, 4, 8 and one that is not a power of two; q8_0 needs heads of whole blocks. */
const headShapes: readonly HeadShape[] = [
  { heads: 4, kvHeads: 4, headDim: 8 },
  { heads: 8, kvHeads: 2, headDim: 64 },
  { heads: 8, kvHeads: 1, headDim: 80 },
  { heads: 4, kvHeads: 4, headDim: 128 },
  { heads: 11, kvHeads: 1, headDim: 272 },
];

const kvTypes: readonly KvType[] = ["f32", "f16", "q8_0"];

export function attentionCases(): readonly ConformanceCase[] {
  return kvTypes.flatMap((type) => [
    ...headShapes
      .filter(({ headDim }) => type !== "q8_0" || headDim % 32 === 0)
      .map((shape) => headShapeCase(type, shape)),
    attentionCase("keeps sequences apart whose positions are out of step", type, sequencesScript),
    attentionCase("crosses chunk boundaries with 341 positions", type, longScript, "large"),
    attentionCase(
      "overwrites positions that are stored again, and ignores later ones",
      type,
      reuseScript,
    ),
    attentionCase("goes on from a copied sequence without touching the source", type, copyScript),
    attentionCase("weighs equal scores equally and lets a far larger score win", type, peakScript),
  ]);
}

function attentionCase(
  what: string,
  type: KvType,
  script: (type: KvType) => CaseScript,
  scale: ConformanceCase["scale"] = "small",
): ConformanceCase {
  const traits = { op: "attention", kvType: type } as const;
  return { name: `attention over ${type} ${what}`, scale, traits, build: () => script(type) };
}

function headShapeCase(type: KvType, shape: HeadShape): ConformanceCase {
  const { heads, kvHeads, headDim } = shape;
  return attentionCase(`with ${heads} heads of ${headDim} over ${kvHeads} KV heads`, type, () => {
    const model = attentionModel({ type, shape, contextLength: 40, sequences: 1, maxRows: 33 });
    return {
      program: model.program,
      actions: [
        ...model.run(span(0, 0, 33)),
        ...model.run(span(0, 33, 1)),
        ...model.run(span(0, 34, 5)),
      ],
    };
  });
}

interface AttentionModel {
  readonly program: Program;
  /** Random q, k and v for these rows, and a run over them. */
  run(rows: readonly StepRow[], size?: number): readonly CaseAction[];
}

/** Two layers, so that a cache which mixes them up is found: both are stored, the second is read with v as keys. */
function attentionModel(limits: {
  readonly type: KvType;
  readonly shape: HeadShape;
  readonly contextLength: number;
  readonly sequences: number;
  readonly maxRows: number;
}): AttentionModel {
  const { type, shape, contextLength, sequences, maxRows } = limits;
  const { heads, kvHeads, headDim } = shape;
  const builder = createProgramBuilder();
  const q = builder.slot("q", heads * headDim);
  const k = builder.slot("k", kvHeads * headDim);
  const v = builder.slot("v", kvHeads * headDim);
  const first = builder.slot("first", heads * headDim);
  const second = builder.slot("second", heads * headDim);
  const scale = 1 / Math.sqrt(headDim);
  const ops: Op[] = [
    { kind: "store-kv", layer: 0, k, v },
    { kind: "store-kv", layer: 1, k: v, v: k },
    { kind: "attention", layer: 0, q, out: first, heads, scale },
    { kind: "attention", layer: 1, q, out: second, heads, scale },
  ];
  builder.segment(ops, [first, second]);
  const kv = sameLayers({ layers: 2, kvHeads, headDim, contextLength, sequences, type });
  const program = builder.build({ maxRows, kv });
  const data = createCaseData(headDim + contextLength);
  const write = (slot: Slot, rows: number, size: number): CaseAction => ({
    kind: "write",
    slot,
    data: data.normal(rows * slot.width, size),
  });
  return {
    program,
    run: (rows, size = 1) => [
      write(q, rows.length, size),
      write(k, rows.length, 1),
      write(v, rows.length, 1),
      { kind: "run", segment: 0, step: stepOf(program, rows) },
    ],
  };
}

/** `count` rows of one sequence from a position on. */
function span(sequence: number, from: number, count: number): readonly StepRow[] {
  return Array.from({ length: count }, (_, i) => ({ sequence, position: from + i }));
}

const smallShape: HeadShape = { heads: 4, kvHeads: 2, headDim: 32 };

function sequencesScript(type: KvType): CaseScript {
  const model = attentionModel({
    type,
    shape: smallShape,
    contextLength: 24,
    sequences: 3,
    maxRows: 16,
  });
  const decode = [
    { sequence: 2, position: 3 },
    { sequence: 0, position: 12 },
    { sequence: 1, position: 0 },
  ];
  const mixed = [...span(1, 1, 4), ...span(0, 13, 1), ...span(2, 4, 9)];
  // Rows of two sequences interleaved, each rising.
  const interleaved = span(0, 14, 6).flatMap((row, i) => [row, { sequence: 2, position: 13 + i }]);
  return {
    program: model.program,
    actions: [
      ...model.run(span(0, 0, 12)),
      ...model.run(span(2, 0, 3)),
      ...model.run(decode),
      ...model.run(mixed),
      ...model.run(interleaved),
    ],
  };
}

function longScript(type: KvType): CaseScript {
  const model = attentionModel({
    type,
    shape: { ...smallShape, heads: 2, kvHeads: 1 },
    contextLength: 352,
    sequences: 2,
    maxRows: 128,
  });
  return {
    program: model.program,
    actions: [
      ...model.run(span(1, 0, 128)),
      ...model.run(span(1, 128, 128)),
      ...model.run(span(1, 256, 65)),
      ...model.run([{ sequence: 0, position: 0 }, ...span(1, 321, 1)]),
      ...model.run(span(1, 322, 19)),
    ],
  };
}

function reuseScript(type: KvType): CaseScript {
  const model = attentionModel({
    type,
    shape: smallShape,
    contextLength: 32,
    sequences: 1,
    maxRows: 32,
  });
  return {
    program: model.program,
    actions: [
      ...model.run(span(0, 0, 32)),
      ...model.run(span(0, 7, 5)),
      ...model.run(span(0, 0, 1)),
      ...model.run(span(0, 20, 3)),
    ],
  };
}

function copyScript(type: KvType): CaseScript {
  const model = attentionModel({
    type,
    shape: smallShape,
    contextLength: 24,
    sequences: 3,
    maxRows: 20,
  });
  return {
    program: model.program,
    actions: [
      ...model.run(span(0, 0, 20)),
      ...model.run(span(2, 0, 20)),
      { kind: "copy-sequence", from: 0, to: 2, length: 11 },
      ...model.run([...span(2, 11, 1), ...span(0, 20, 1)]),
      { kind: "copy-sequence", from: 2, to: 1, length: 12 },
      ...model.run([...span(0, 21, 1), ...span(1, 12, 2), ...span(2, 15, 1)]),
    ],
  };
}

/** q of zeros: all scores 0. q forty times as large: scores far apart, one weight near 1. */
function peakScript(type: KvType): CaseScript {
  const model = attentionModel({
    type,
    shape: smallShape,
    contextLength: 24,
    sequences: 1,
    maxRows: 20,
  });
  return {
    program: model.program,
    actions: [...model.run(span(0, 0, 20), 0), ...model.run(span(0, 0, 20), 40)],
  };
}
