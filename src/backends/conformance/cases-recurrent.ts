/** Cases of layers with a state: taps and heads of several shapes, sequences out of step, copies, checkpoints. */
import type { KvShape, RecurrentLayer } from "../../ops/kv-shape.ts";
import type { Op, OpKind } from "../../ops/op.ts";
import type { Program } from "../../ops/program.ts";
import type { CaseAction, CaseScript, ConformanceCase } from "./case.ts";
import { createCaseData } from "./case-data.ts";
import { createProgramBuilder, memoryWeight, type StepRow, stepOf } from "./program-builder.ts";

export interface StateCase {
  readonly conv: RecurrentLayer["conv"];
  readonly state: RecurrentLayer["state"];
  readonly keyHeads: number;
  readonly keyRun: number;
}

/** Channels are those of q, k and v. Widths that no vector or workgroup divides; values apart from keys. */
const shapes: readonly StateCase[] = [
  shapeOf({ taps: 4, heads: 4, keyHeads: 2, keyWidth: 16, valueWidth: 16 }),
  shapeOf({ taps: 3, heads: 3, keyHeads: 3, keyWidth: 13, valueWidth: 37 }),
  shapeOf({ taps: 2, heads: 2, keyHeads: 1, keyWidth: 128, valueWidth: 128 }),
  shapeOf({ taps: 2, heads: 12, keyHeads: 3, keyRun: 2, keyWidth: 8, valueWidth: 5 }),
  shapeOf({ taps: 2, heads: 4, keyHeads: 2, keyRun: 2, keyWidth: 12, valueWidth: 8 }),
];

function shapeOf(of: {
  readonly taps: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly keyRun?: number;
  readonly keyWidth: number;
  readonly valueWidth: number;
}): StateCase {
  const { taps, heads, keyHeads, keyRun = 1, keyWidth, valueWidth } = of;
  const channels = 2 * keyHeads * keyWidth + heads * valueWidth;
  return {
    conv: { positions: taps - 1, channels },
    state: { heads, rows: keyWidth, columns: valueWidth },
    keyHeads,
    keyRun,
  };
}

export function recurrentCases(): readonly ConformanceCase[] {
  return [
    ...shapes.map((shape) =>
      stateCase(
        "delta-rule",
        `of ${shape.state.heads} heads of ${shape.state.rows}, ${shape.keyRun} in a row of a key`,
        () => spansScript(shape),
      ),
    ),
    stateCase("convolve", "goes on across steps, in place and not", () => spansScript(shapes[0]!)),
    stateCase("delta-rule", "keeps sequences apart whose rows are mixed", () => sequencesScript()),
    stateCase("delta-rule", "goes on from copied and restored states", () => copiesScript()),
    stateCase("delta-rule", "of keys and queries of zeros recalls nothing", () => zerosScript()),
  ];
}

export function smallStateModel(): StateModel {
  return stateModel(shapeOf({ taps: 2, heads: 1, keyHeads: 1, keyWidth: 4, valueWidth: 4 }), {
    sequences: 1,
    maxRows: 4,
  });
}

function stateCase(op: OpKind, what: string, build: () => CaseScript): ConformanceCase {
  return { name: `${op} ${what}`, scale: "small", traits: { op }, build };
}

export interface StateModel {
  readonly program: Program;
  /** Random rows of these places, and a run over them. */
  run(rows: readonly StepRow[], size?: number): readonly CaseAction[];
}

/** Two layers, so that states which are mixed up are found; the second convolves in place. */
export function stateModel(
  { conv, state, keyHeads, keyRun }: StateCase,
  limits: { readonly sequences: number; readonly maxRows: number },
): StateModel {
  const { heads } = state;
  const data = createCaseData(conv.channels);
  const builder = createProgramBuilder();
  const x = builder.slot("x", conv.channels);
  const convolved = builder.slot("convolved", conv.channels);
  const decay = builder.slot("decay", heads);
  const strength = builder.slot("strength", heads);
  const first = builder.slot("first", heads * state.columns);
  const second = builder.slot("second", heads * state.columns);
  const taps = conv.positions + 1;
  const kernel = (): ReturnType<typeof memoryWeight> =>
    memoryWeight("conv", "F32", [conv.channels, taps], data.normal(conv.channels * taps));
  // Rates from −16 to nearly 0, as models are initialised.
  const rates = data.normal(heads).map((value) => -Math.exp(value));
  const gates = {
    rate: memoryWeight("rate", "F32", [1, heads], rates),
    bias: memoryWeight("bias", "F32", [1, heads], data.normal(heads)),
    epsilon: 1e-6,
  };
  const rule = { decay, strength, keyHeads, keyRun, ...gates } as const;
  const ops: Op[] = [
    { kind: "convolve", layer: 0, x, out: convolved, weight: kernel() },
    { kind: "delta-rule", ...rule, layer: 0, x: convolved, out: first },
    { kind: "convolve", layer: 1, x, out: x, weight: kernel() },
    { kind: "delta-rule", ...rule, layer: 1, x, out: second },
  ];
  builder.segment(ops, [convolved, first, x, second]);
  const { sequences, maxRows } = limits;
  const layer: RecurrentLayer = { kind: "recurrent", conv, state };
  const kv: KvShape = {
    layers: [layer, layer],
    contextLength: 256,
    sequences,
    checkpoints: 2,
    type: "f32",
  };
  const program = builder.build({ maxRows, kv });
  return {
    program,
    run: (rows, size = 1) => [
      { kind: "write", slot: x, data: data.normal(rows.length * x.width, size) },
      { kind: "write", slot: decay, data: data.normal(rows.length * heads, 2) },
      { kind: "write", slot: strength, data: data.normal(rows.length * heads, 2) },
      { kind: "run", segment: 0, step: stepOf(program, rows) },
    ],
  };
}

/** `count` rows of one sequence from a position on. */
export function span(sequence: number, from: number, count: number): readonly StepRow[] {
  return Array.from({ length: count }, (_, i) => ({ sequence, position: from + i }));
}

function spansScript(shape: StateCase): CaseScript {
  const model = stateModel(shape, { sequences: 1, maxRows: 17 });
  const spans = [span(0, 0, 17), span(0, 17, 1), span(0, 18, 4), span(0, 0, 2)];
  return { program: model.program, actions: spans.flatMap((rows) => model.run(rows)) };
}

function sequencesScript(): CaseScript {
  const model = stateModel(shapes[0]!, { sequences: 3, maxRows: 16 });
  const interleaved = span(0, 3, 6).flatMap((row, i) => [row, { sequence: 2, position: 1 + i }]);
  const spans = [
    [...span(2, 0, 1), ...span(0, 0, 3), ...span(1, 0, 2)],
    interleaved,
    // One begins again while another goes on.
    [...span(1, 0, 4), ...span(0, 9, 1)],
  ];
  return { program: model.program, actions: spans.flatMap((rows) => model.run(rows)) };
}

function copiesScript(): CaseScript {
  const model = stateModel(shapes[1]!, { sequences: 3, maxRows: 16 });
  return {
    program: model.program,
    actions: [
      ...model.run([...span(0, 0, 7), ...span(1, 0, 3)]),
      { kind: "save-state", sequence: 0, slot: 1 },
      { kind: "save-state", sequence: 1, slot: 0 },
      { kind: "copy-sequence", from: 0, to: 2, length: 7 },
      ...model.run([...span(0, 7, 2), ...span(2, 7, 4)]),
      { kind: "restore-state", slot: 1, sequence: 0 },
      // A sequence gets another's checkpoint, after a copy that its states do not fit.
      { kind: "copy-sequence", from: 0, to: 1, length: 3 },
      { kind: "restore-state", slot: 1, sequence: 1 },
      ...model.run([...span(0, 7, 1), ...span(1, 7, 2), ...span(2, 11, 1)]),
      { kind: "restore-state", slot: 0, sequence: 2 },
      ...model.run(span(2, 3, 2)),
    ],
  };
}

/** Norms of 0 are divided by epsilon. */
function zerosScript(): CaseScript {
  const model = stateModel(shapes[0]!, { sequences: 1, maxRows: 8 });
  return {
    program: model.program,
    actions: [...model.run(span(0, 0, 8), 0), ...model.run(span(0, 8, 3))],
  };
}
