/** Bytes of a cache and of a block, by hand. */
import { describe, expect, it } from "vitest";
import { candidateCount, ffnBytes } from "./ffn-bytes.ts";
import type { FfnBlock, SparsityMethod, Weight } from "./op.ts";

function matrix(rows: number, columns: number, type: Weight["type"] = "F16"): Weight {
  return { name: "w", type, rows, columns, bytes: { kind: "memory", data: new Uint8Array() } };
}

/** 6 neurons over 32 inputs: a row of gate, up or down is 64 bytes. */
function block(method: SparsityMethod, changes: Partial<FfnBlock> = {}): FfnBlock {
  return {
    layer: 0,
    dim: 32,
    neurons: 6,
    gating: "gated",
    activation: { kind: "relu" },
    gate: matrix(6, 32),
    up: matrix(6, 32),
    down: { layout: "rows", weight: matrix(6, 32) },
    method,
    ...changes,
  };
}

describe("the weight bytes of a block", () => {
  const use = { active: 2, down: 3 };
  const slot = { id: 0, name: "x", width: 32, rows: "step" } as const;
  const network = { input: slot, fc1: matrix(4, 32), fc2: matrix(6, 4), threshold: 0 };

  it.each<[SparsityMethod, number]>([
    [{ kind: "dense" }, 6 * 128 + 3 * 64],
    [{ kind: "gate" }, 6 * 64 + 2 * 64 + 3 * 64],
    [{ kind: "threshold-gate", value: 1 }, 6 * 64 + 2 * 64 + 3 * 64],
    [{ kind: "threshold-output", value: 1, downNorms: new Float32Array(6) }, 6 * 128 + 3 * 64],
    [{ kind: "mlp", ...network }, 4 * 64 + 6 * 8 + 2 * 128 + 3 * 64],
    [{ kind: "sign", signs: new Uint8Array(6 * 8), margin: 0 }, 6 * 8 + 2 * 128 + 3 * 64],
  ])("are those that $kind reads", (method, bytes) => {
    expect(ffnBytes(block(method), use)).toBe(bytes);
  });

  it("are those of the subset where there is one", () => {
    const share = block({ kind: "dense" }, { subset: Uint32Array.of(0, 2, 5) });
    expect(candidateCount(share)).toBe(3);
    expect(ffnBytes(share, { active: 3, down: 3 })).toBe(3 * 3 * 64);
  });
});
