/** Cases of active sets that an op of their own predicts: the set, and blocks that share it. */

import { activeWidth } from "../../ops/active-bits.ts";
import type { DownProjection, FfnBlock, Op, Predictor } from "../../ops/op.ts";
import type { CaseAction, CaseScript, ConformanceCase } from "./case.ts";
import { createCaseData } from "./case-data.ts";
import { runsOf } from "./cases-rows.ts";
import { type CaseBlockShape, makeFfnBlock } from "./ffn-block.ts";
import { createProgramBuilder } from "./program-builder.ts";

const layouts: readonly DownProjection["layout"][] = ["columns", "rows"];

export function predictCases(): readonly ConformanceCase[] {
  return (["mlp", "sign"] as const).flatMap((method) =>
    layouts.map((layout) => predictCase(method, layout)),
  );
}

/** Two halves of a block and the whole of it, all given the set that one op predicts; no whole element of bits. */
function predictCase(
  method: Predictor["kind"],
  downLayout: DownProjection["layout"],
): ConformanceCase {
  return {
    name: `${method} predicts once for blocks that share its set, down as ${downLayout}`,
    scale: "small",
    traits: { op: "predict", weightType: "F32", method: "given", downLayout },
    build: () => predictScript({ ...sizes, method, downLayout }),
  };
}

const sizes = {
  type: "F32",
  dim: 72,
  neurons: 300,
  gating: "gated",
  activation: { kind: "relu" },
  isSubset: false,
  hasBiases: true,
} as const;

function predictScript(shape: CaseBlockShape): CaseScript {
  const data = createCaseData(23);
  const builder = createProgramBuilder();
  const [x, residual, shared] = [
    builder.slot("x", shape.dim),
    builder.slot("residual", shape.dim),
    builder.slot("shared", shape.dim),
  ];
  const whole = builder.slot("whole", shape.dim);
  const active = builder.slot("active", activeWidth(shape.neurons));
  const block = makeFfnBlock(shape, data, residual);
  const { method: predictor, neurons, layer } = block;
  if (predictor.kind !== "mlp" && predictor.kind !== "sign") throw new RangeError(predictor.kind);
  const given: FfnBlock = { ...block, method: { kind: "given", active, predictorBytes: 0 } };
  const ids = Uint32Array.from({ length: neurons }, (_, id) => id);
  const { downBias: _late, ...withoutBias } = given;
  const ops: Op[] = [
    { kind: "predict", x, out: active, layer, neurons, predictor },
    {
      kind: "ffn",
      x,
      out: shared,
      into: "assign",
      block: { ...withoutBias, subset: ids.filter((id) => id % 3 === 0) },
    },
    {
      kind: "ffn",
      x,
      out: shared,
      into: "add",
      block: { ...given, subset: ids.filter((id) => id % 3 !== 0) },
    },
    { kind: "ffn", x, out: whole, into: "assign", block: given },
  ];
  builder.segment(ops, [active, shared, whole]);
  const program = builder.build({ maxRows: 40 });
  const actions = runsOf(program, [1, 3, 9, 40], (rows): readonly CaseAction[] => [
    { kind: "write", slot: x, data: data.inputs(rows, shape.dim) },
    { kind: "write", slot: residual, data: data.inputs(rows, shape.dim) },
  ]);
  return { program, actions };
}
