/** What masks and channel-major copies must be like. Other ops are judged in every case of the conformance suite. */
import { describe, expect, it } from "vitest";
import { checkProgram } from "./check-program.ts";
import type { FfnBlock, Op, Slot, SparsityMethod, Weight } from "./op.ts";
import { ruleOf } from "./op-table.ts";
import type { Program } from "./program.ts";
import { channelsOfOp, weightsOfOp } from "./program-ops.ts";
import { slotsRead, slotWritten } from "./slot-access.ts";

const slot = (id: number, width: number, rows: Slot["rows"] = "step"): Slot => ({
  id,
  name: `s${id}`,
  width,
  rows,
});
const [x, like, wide, outputs] = [
  slot(0, 4),
  slot(1, 4),
  slot(2, 6),
  slot(3, 4, "outputs"),
] as const;

function matrix(name: string, rows: number, columns: number): Weight {
  const bytes = { kind: "memory", data: new Uint8Array(4 * rows * columns) } as const;
  return { name, type: "F32", rows, columns, bytes };
}

function check(op: Op): void {
  const program: Program = {
    slots: [x, like, wide, outputs],
    segments: [{ name: "all", ops: [op], outputs: [] }],
    maxRows: 1,
    maxOutputs: 1,
    kv: { layers: [], contextLength: 1, sequences: 1, type: "f32" },
  };
  checkProgram(program);
}

const mask = { kind: "mask", x, out: like, value: 0.5 } as const;

describe("a mask", () => {
  it("may have norms and write where it reads", () => {
    expect(() => check(mask)).not.toThrow();
    expect(() => check({ ...mask, out: x, norms: new Float32Array(4) })).not.toThrow();
  });

  it.each([
    ["norms of another width", { norms: new Float32Array(3) }, /4 norms.*3/],
    ["a threshold below 0", { value: -1 }, /at least 0.*-1/],
    ["a threshold that is no number", { value: Number.NaN }, /at least 0.*NaN/],
    ["an out of another width", { out: wide }, /width 4.*6/],
    ["an out of other rows", { out: outputs }, /rows as x.*outputs/],
  ])("has not %s", (_, change, message) => {
    expect(() => check({ ...mask, ...change })).toThrow(message);
  });

  it("reads x and writes out, whatever the slots", () => {
    expect([slotsRead(mask), slotWritten(mask)]).toEqual([[x], like]);
    const places = { slot: (from: Slot) => (from === x ? like : x), cacheLayer: () => 0 };
    const moved = ruleOf(mask).moved(mask, places);
    expect(moved).toEqual({ ...mask, x: like, out: x });
  });
});

describe("channel-major copies", () => {
  const matmul = {
    kind: "matmul",
    x,
    out: wide,
    into: "assign",
    weight: matrix("w", 6, 4),
  } as const;
  const method: SparsityMethod = {
    kind: "threshold-output",
    value: 0,
    downNorms: new Float32Array(6),
  };
  const block: FfnBlock = {
    layer: 0,
    dim: 4,
    neurons: 6,
    gating: "gated",
    activation: { kind: "silu" },
    gate: matrix("gate", 6, 4),
    up: matrix("up", 6, 4),
    down: { layout: "rows", weight: matrix("down", 6, 4) },
    method,
  };
  const ffn = (change: Partial<FfnBlock>): Op => ({
    kind: "ffn",
    x,
    out: like,
    into: "assign",
    block: { ...block, ...change },
  });
  const copy = matrix("copy", 4, 6);

  it("are the transposed matrices, and no weights of the op", () => {
    const product: Op = { ...matmul, channels: copy };
    const whole = ffn({ channels: { gate: copy, up: copy } });
    expect(() => check(product)).not.toThrow();
    expect(() => check(whole)).not.toThrow();
    expect([channelsOfOp(product), channelsOfOp(whole)]).toEqual([[copy], [copy, copy]]);
    expect(channelsOfOp(matmul)).toEqual([]);
    expect(weightsOfOp(product)).toEqual([matmul.weight]);
    expect(weightsOfOp(whole)).not.toContain(copy);
  });

  it("have the other shape", () => {
    const wrong = matrix("copy", 6, 4);
    expect(() => check({ ...matmul, channels: wrong })).toThrow(/copy \[4, 6\].*\[6, 4\]/);
    expect(() => check(ffn({ channels: { gate: copy, up: wrong } }))).toThrow(/copy \[4, 6\]/);
    expect(() => check(ffn({ channels: { gate: wrong, up: copy } }))).toThrow(/copy \[4, 6\]/);
  });

  it("are of the gate where there is one, in blocks with threshold-output", () => {
    expect(() => check(ffn({ channels: { up: copy } }))).toThrow(/channels of the gate/);
    const dense = ffn({ method: { kind: "dense" }, channels: { gate: copy, up: copy } });
    expect(() => check(dense)).toThrow(/threshold-output.*dense/);
  });
});
