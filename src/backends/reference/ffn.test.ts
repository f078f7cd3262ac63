/** Feed-forward blocks of the oracle against numbers worked out by hand, for every method. */
import { describe, expect, it } from "vitest";
import { activationFunction } from "../../ops/activation.ts";
import type { FfnBlock, Slot, SparsityMethod, Weight } from "../../ops/op.ts";
import type { FfnCounts } from "../backend.ts";
import { createProgramBuilder, memoryWeight, stepOf } from "../conformance/program-builder.ts";
import { createReferenceBackend } from "./reference-backend.ts";

function f32(rows: number, columns: number, values: readonly number[]): Weight {
  return memoryWeight("w", "F32", [rows, columns], Float32Array.from(values));
}

/**
 * dim 2, three neurons. For x = (1, 2): gate·x = (3, −1, 4), up·x = (1, 2, −3).
 * The down row of neuron r is (1, 10)·(1, 2, 3)[r].
 */
const gate = f32(3, 2, [1, 1, 1, -1, 2, 1]);
const up = f32(3, 2, [1, 0, 0, 1, 1, -2]);
const downColumns = f32(2, 3, [1, 2, 3, 10, 20, 30]);
const downRows = f32(3, 2, [1, 10, 2, 20, 3, 30]);

const block: FfnBlock = {
  layer: 0,
  dim: 2,
  neurons: 3,
  gating: "gated",
  activation: { kind: "relu" },
  gate,
  up,
  down: { layout: "columns", weight: downColumns },
  method: { kind: "dense" },
};

async function runBlock(
  change: Partial<FfnBlock>,
  x: readonly number[] = [1, 2],
): Promise<{ out: number[]; counts: readonly FfnCounts[] }> {
  const builder = createProgramBuilder();
  const input = builder.slot("x", 2);
  return runIn(builder, input, { ...block, ...change }, x);
}

function ungated(change: Partial<FfnBlock>): FfnBlock {
  const { gate: _none, ...rest } = block;
  return { ...rest, gating: "ungated", ...change };
}

async function runIn(
  builder: ReturnType<typeof createProgramBuilder>,
  input: Slot,
  whole: FfnBlock,
  x: readonly number[] = [1, 2],
): Promise<{ out: number[]; counts: readonly FfnCounts[] }> {
  const out = builder.slot("out", 2);
  builder.segment([{ kind: "ffn", x: input, out, into: "assign", block: whole }], [out]);
  const rows = x.length / 2;
  const program = builder.build({ maxRows: rows });
  using backend = createReferenceBackend();
  using executable = await backend.compile(program);
  executable.write(input, Float32Array.from(x));
  await executable.run(
    0,
    stepOf(
      program,
      Array.from({ length: rows }, () => ({})),
    ),
  );
  return { out: [...executable.output(out)], counts: executable.ffnCounts() };
}

/** What down makes of h. */
function down(h0: number, h1: number, h2: number): number[] {
  const first = h0 + 2 * h1 + 3 * h2;
  return [first, 10 * first];
}

describe("reference ffn: gating and activations", () => {
  it("ReGLU: h = relu(gate)·up", async () => {
    expect((await runBlock({})).out).toEqual(down(3 * 1, 0, 4 * -3));
  });

  it("dReLU: h = relu(gate)·relu(up)", async () => {
    expect((await runBlock({ gating: "both" })).out).toEqual(down(3 * 1, 0, 0));
  });

  it("relu², ungated: h = relu(up)²", async () => {
    const builder = createProgramBuilder();
    const whole = ungated({ activation: { kind: "relu2" } });
    expect((await runIn(builder, builder.slot("x", 2), whole)).out).toEqual(down(1, 4, 0));
  });

  it("adds the up bias before the activation and the down bias after the projection", async () => {
    const builder = createProgramBuilder();
    const whole = ungated({ upBias: f32(1, 3, [0, -3, 5]), downBias: f32(1, 2, [100, 200]) });
    const { out } = await runIn(builder, builder.slot("x", 2), whole);
    const [first = 0, second = 0] = down(1, 0, 2);
    expect(out).toEqual([first + 100, second + 200]);
  });

  it("FATReLU keeps what reaches the threshold and zeroes the rest", async () => {
    const { out } = await runBlock({ activation: { kind: "fatrelu", threshold: 4 } });
    expect(out).toEqual(down(0, 0, 4 * -3));
  });

  it("gives the same with the down projection as rows", async () => {
    const { out } = await runBlock({ down: { layout: "rows", weight: downRows } });
    expect(out).toEqual(down(3, 0, -12));
  });

  it("computes only its subset", async () => {
    const { out, counts } = await runBlock({ subset: Uint32Array.from([1, 2]) });
    expect(out).toEqual(down(0, 0, -12));
    expect(counts).toMatchObject([{ active: 2, rows: 1, neurons: 2 }]);
  });

  it.each([
    ["silu", 1, 1 / (1 + Math.exp(-1))],
    ["silu", -2, -2 / (1 + Math.exp(2))],
    // Φ(1) = 0.8413447460685429, Φ(−0.5) = 0.3085375387259869, Φ(3) = 0.9986501019683699.
    ["gelu", 1, 0.8413447460685429],
    ["gelu", -0.5, -0.5 * 0.3085375387259869],
    ["gelu", 3, 3 * 0.9986501019683699],
    ["gelu-tanh", 1, 0.5 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * 1.044715))],
    ["gelu-tanh", 0, 0],
  ] as const)("%s of %f is %f", (kind, x, expected) => {
    expect(activationFunction({ kind })(x)).toBeCloseTo(expected, 14);
  });
});

describe("reference ffn: sparsity methods", () => {
  it("gate: neurons whose gate is zero are not computed, and the result is that of dense", async () => {
    const { out, counts } = await runBlock({ method: { kind: "gate" } });
    expect(out).toEqual(down(3, 0, -12));
    expect(counts).toMatchObject([{ active: 2, rows: 1, neurons: 3 }]);
    // Gate of 3 neurons, up and down of 2, each row 2 f32: (3 + 2 + 2)·8 bytes.
    expect(counts[0]?.bytesTouched).toBe(56);
  });

  it("threshold-gate: keeps neurons with |act(gate)| at or above the value", async () => {
    const { out } = await runBlock({ method: { kind: "threshold-gate", value: 4 } });
    expect(out).toEqual(down(0, 0, -12));
  });

  it("threshold-output: keeps neurons with |h|·norm at or above the value", async () => {
    const downNorms = Float32Array.from([4, 1, 0.9]);
    const { out } = await runBlock({
      method: { kind: "threshold-output", value: 12, downNorms },
    });
    // |h|·norm = 3·4 = 12, 0, 12·0.9 = 10.8.
    expect(out).toEqual(down(3, 0, 0));
  });

  it("sign: keeps neurons where dim − 2·differing signs reaches the margin", async () => {
    // x = (1, −2): signs 0, 1, bits 0b10. Gate signs: 0b00, 0b10, 0b01: scores 0, 2, −2.
    const signs = new Uint8Array(3 * 8);
    signs[8] = 0b10;
    signs[16] = 0b01;
    const x = [1, -2];
    // gate·x = (−1, 3, 0), up·x = (1, −2, 5).
    const keepAll = await runBlock({ method: { kind: "sign", signs, margin: -2 } }, x);
    expect(keepAll.out).toEqual(down(0, -6, 0));
    expect(keepAll.counts).toMatchObject([{ active: 3 }]);
    const keepOne = await runBlock({ method: { kind: "sign", signs, margin: 1 } }, x);
    expect(keepOne.out).toEqual(down(0, -6, 0));
    expect(keepOne.counts).toMatchObject([{ active: 1 }]);
  });

  it("mlp: keeps neurons whose fc2·relu(fc1·input) reaches the threshold", async () => {
    const builder = createProgramBuilder();
    const input = builder.slot("x", 2);
    // relu(fc1·(1, 2)) = relu(3, −1) = (3, 0); fc2 scores: 3, 6, 0.
    const method: SparsityMethod = {
      kind: "mlp",
      input,
      fc1: f32(2, 2, [1, 1, 1, -1]),
      fc2: f32(3, 2, [1, 0, 2, 5, 0, 1]),
      threshold: 3,
    };
    const { out, counts } = await runIn(builder, input, { ...block, method });
    expect(out).toEqual(down(3, 0, 0));
    expect(counts).toMatchObject([{ active: 2, rows: 1 }]);
  });

  it("chooses the active set of each row by itself", async () => {
    const { out } = await runBlock({ method: { kind: "threshold-gate", value: 4 } }, [1, 2, 4, 4]);
    // Row (4, 4): gate·x = (8, 0, 12), up·x = (4, 4, −4).
    expect(out).toEqual([...down(0, 0, -12), ...down(32, 0, -48)]);
  });
});
