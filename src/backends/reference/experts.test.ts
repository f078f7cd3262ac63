/** The reference's mixture of experts, on numbers that can be checked by hand. */
import { describe, expect, it } from "vitest";
import type { ExpertStack, OpOf, Router } from "../../ops/op.ts";
import { createProgramBuilder, memoryWeight, stepOf } from "../conformance/program-builder.ts";
import { createReferenceBackend } from "./reference-backend.ts";

const plain: Router = { scores: "softmax", normalise: false, scale: 1 };

/** What `route` gives for one row of logits: ids, then weights. */
async function routed(
  logits: readonly number[],
  used: number,
  router: Router,
): Promise<readonly number[]> {
  const builder = createProgramBuilder();
  const x = builder.slot("x", logits.length);
  const out = builder.slot("out", 2 * used);
  builder.segment([{ kind: "route", x, out, router }], [out]);
  const program = builder.build({ maxRows: 1 });
  using executable = await createReferenceBackend().compile(program);
  executable.write(x, Float32Array.from(logits));
  await executable.run(0, stepOf(program, [{}]));
  return [...executable.output(out)];
}

function vector(...values: readonly number[]) {
  return memoryWeight("vector", "F32", [1, values.length], Float32Array.from(values));
}

describe("a router", () => {
  it("weighs the chosen by their share of all, or of themselves", async () => {
    const logits = [Math.log(1), Math.log(5), Math.log(2), Math.log(2)];
    expect(close(await routed(logits, 2, plain))).toEqual([1, 2, 0.5, 0.2]);
    const normalised = await routed(logits, 2, { ...plain, normalise: true, scale: 7 });
    expect(close(normalised)).toEqual([1, 2, 5, 2]);
    const ofChosen = await routed(logits, 2, { ...plain, scores: "softmax-of-chosen" });
    expect(close(ofChosen)).toEqual(close([1, 2, 5 / 7, 2 / 7]));
  });

  it("lets a bias choose but not weigh", async () => {
    const router: Router = { ...plain, scores: "sigmoid", bias: vector(0, 0, 1) };
    expect(close(await routed([0, 1, 0], 1, router))).toEqual([2, 0.5]);
  });

  it("divides by no less than 2⁻¹⁴", async () => {
    const router: Router = { ...plain, scores: "sigmoid", normalise: true };
    const score = 1 / (1 + Math.exp(20));
    expect(close(await routed([-20, -30], 1, router))).toEqual(close([0, score * 2 ** 14]));
  });

  it("leaves out groups whose two best add up to less", async () => {
    const router: Router = { ...plain, scores: "sigmoid", groups: { count: 2, used: 1 } };
    // The best expert stands in the first group, the best pair in the second.
    const [id] = await routed([2, -9, -9, 1, 1, -9], 1, router);
    expect(id).toBe(3);
  });

  it("multiplies the weight of an expert by its factor", async () => {
    const router: Router = { ...plain, normalise: true, factors: vector(3, 4) };
    expect(close(await routed([1, 1], 2, router))).toEqual([0, 1, 1.5, 2]);
  });

  it("weighs the first experts by NaN where a logit is NaN", async () => {
    expect(await routed([1, 2, Number.NaN], 2, plain)).toEqual([0, 1, Number.NaN, Number.NaN]);
  });
});

function close(values: readonly number[]): readonly number[] {
  return values.map((value) => Number(value.toPrecision(6)));
}

describe("experts", () => {
  it("are the stretches of the stacked matrices that their ids name", async () => {
    const { op, slots, build } = doubling();
    const program = build(op);
    using executable = await createReferenceBackend().compile(program);
    executable.write(slots.x, Float32Array.of(1, 10));
    executable.write(slots.routes, Float32Array.of(2, 0, 0.5, 1));
    await executable.run(0, stepOf(program, [{}]));
    // Expert e gives (e + 1)·relu(x): 0.5·3·x + 1·1·x.
    expect([...executable.output(slots.out)]).toEqual([2.5, 25]);
  });

  it("do not fit a stack that ends before the last of them", async () => {
    const { op, build } = doubling();
    const stack = { ...op.stack, count: 4 };
    await expect(createReferenceBackend().compile(build({ ...op, stack }))).rejects.toThrow(
      /up of 4 matrices \[2, 2\].*of 6/,
    );
  });

  it("cannot be chosen more often than there are", async () => {
    const { op, slots, build } = doubling();
    const stack = { ...op.stack, count: 1 };
    await expect(createReferenceBackend().compile(build({ ...op, stack }))).rejects.toThrow(
      /routes to 1 to 1 experts.*2/,
    );
    expect(slots.routes.width).toBe(4);
  });
});

/** Three experts, e of which multiplies by e + 1. */
function doubling() {
  const builder = createProgramBuilder();
  const x = builder.slot("x", 2);
  const routes = builder.slot("routes", 4);
  const out = builder.slot("out", 2);
  const identity = [1, 0, 0, 1];
  const up = Float32Array.from([0, 1, 2].flatMap(() => identity));
  const down = Float32Array.from([1, 2, 3].flatMap((factor) => identity.map((v) => v * factor)));
  const part = { first: 0, stride: 2, rows: 2 };
  const stack: ExpertStack = {
    layer: 0,
    count: 3,
    dim: 2,
    neurons: 2,
    gating: "ungated",
    activation: { kind: "relu" },
    up: { ...part, weight: memoryWeight("up", "F32", [6, 2], up) },
    down: { ...part, weight: memoryWeight("down", "F32", [6, 2], down) },
  };
  const op: OpOf<"experts"> = { kind: "experts", x, routes, out, into: "assign", stack };
  const build = (own: OpOf<"experts">) => {
    builder.segment([own], [out]);
    return builder.build({ maxRows: 1 });
  };
  return { op, slots: { x, routes, out }, build };
}
