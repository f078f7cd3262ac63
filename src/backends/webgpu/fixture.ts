/** Programs of real sizes whose weights are never read, for tests that count what a recording would do. */
import { rowBytes, type WeightType } from "../../core/dtype.ts";
import type { DownProjection, SparsityMethod, Weight } from "../../ops/op.ts";
import type { Program } from "../../ops/program.ts";
import { createProgramBuilder } from "../conformance/program-builder.ts";
import type { KernelCall } from "./kernel.ts";
import { recordProgram } from "./recording.ts";
import type { BindingLimits } from "./recording-buffers.ts";
import { createRunShape, extentCount, isWanted, type RunShape } from "./run-shape.ts";

/** A card that binds 4 GiB at once. */
export const largeCard: BindingLimits = { maxBinding: 2 ** 32, maxBuffer: 2 ** 34 };

export function unreadWeight(
  name: string,
  type: WeightType,
  rows: number,
  columns: number,
): Weight {
  const bytes = rows * rowBytes(type, columns);
  return {
    name,
    type,
    rows,
    columns,
    bytes: { kind: "file", path: "none.gguf", offset: 0, bytes },
  };
}

/** One gated ReLU block; "gate" computes the gate of all neurons, "mlp" predicts with rank 1024. */
export function blockProgram({
  type = "Q4_0",
  dim,
  neurons,
  method,
  layout = "rows",
  maxRows = 1,
}: {
  readonly type?: WeightType;
  readonly dim: number;
  readonly neurons: number;
  readonly method: "dense" | "gate" | "mlp";
  readonly layout?: DownProjection["layout"];
  readonly maxRows?: number;
}): Program {
  const builder = createProgramBuilder();
  const x = builder.slot("x", dim);
  const out = builder.slot("out", dim);
  const down =
    layout === "rows"
      ? unreadWeight("down", type, neurons, dim)
      : unreadWeight("down", type, dim, neurons);
  const methods: Readonly<Record<typeof method, SparsityMethod>> = {
    dense: { kind: "dense" },
    gate: { kind: "gate" },
    mlp: {
      kind: "mlp",
      input: x,
      threshold: 0,
      fc1: unreadWeight("fc1", "F16", 1024, dim),
      fc2: unreadWeight("fc2", "F16", neurons, 1024),
    },
  };
  const block = {
    layer: 0,
    dim,
    neurons,
    gating: "gated",
    activation: { kind: "relu" },
    gate: unreadWeight("gate", type, neurons, dim),
    up: unreadWeight("up", type, neurons, dim),
    down: { layout, weight: down },
    method: methods[method],
  } as const;
  builder.segment([{ kind: "ffn", x, out, into: "add", block }], [out]);
  return builder.build({ maxRows });
}

export interface CountedCall {
  readonly call: KernelCall;
  readonly groups: number;
}

/** The calls that a step of so many rows makes, with their workgroups. */
export function callsOf(
  program: Program,
  rows: number,
  limits: BindingLimits = largeCard,
): readonly CountedCall[] {
  const shape: RunShape = { ...createRunShape(), rows, outputs: rows };
  return recordProgram(program, limits)
    .segments.flatMap(({ calls }) => calls)
    .filter((call) => isWanted(call, shape))
    .map((call) => ({
      call,
      groups: call.groups.reduce((product, extent) => product * extentCount(extent, shape), 1),
    }));
}
