/**
 * Each device reads the rows of its own neurons and no others: those of the other device are poisoned here, and a
 * single NaN that was read, or multiplied by zero, would show in the logits. So what lies on the card need not be in memory.
 */

import { afterAll, describe, expect, it } from "vitest";
import { expectClose } from "../../../test/fixtures/close-logits.ts";
import { placementOf } from "../../../test/fixtures/placements.ts";
import { makeTinyModel } from "../../../test/fixtures/tiny-model.ts";
import { loadAddon } from "../../backends/addon.ts";
import type { Backend } from "../../backends/backend.ts";
import { createCpuBackend } from "../../backends/cpu/cpu-backend.ts";
import { transposePlainly } from "../../backends/plain-matrices.ts";
import { createReferenceBackend } from "../../backends/reference/reference-backend.ts";
import { rowBytes } from "../../core/dtype.ts";
import { openGguf } from "../../gguf/open.ts";
import { readTensorBytes } from "../../io/tensor-bytes.ts";
import { buildProgram } from "../../model/build-program.ts";
import { type Model, openModel } from "../../model/model.ts";
import { requireBlock } from "../../model/weights.ts";
import type { FfnBlock, Op, SparsityMethod, Weight } from "../../ops/op.ts";
import { createStep, type Program } from "../../ops/program.ts";
import { createHybridBackend } from "./backend.ts";

const addon = loadAddon();
const skipped = addon.kind === "missing" ? ` (skipped: ${addon.reason})` : "";
const file = await makeTinyModel(["--activation", "relu", "--layers", "2", "--type", "f16"]);
afterAll(() => file[Symbol.dispose]());
const model = openModel(openGguf(file.path));

/** A backend that finds NaN in every row of gate, up and down that is not its own. */
function poisoned(backend: Backend): Backend {
  return {
    ...backend,
    compile: (program, options) => backend.compile(withPoison(program), options),
  };
}

function withPoison(program: Program): Program {
  const poison = (op: Op): Op =>
    op.kind === "ffn" ? { ...op, block: poisonedBlock(op.block) } : op;
  const segments = program.segments.map((segment) => ({
    ...segment,
    ops: segment.ops.map(poison),
  }));
  return { ...program, segments };
}

function poisonedBlock(block: FfnBlock): FfnBlock {
  const { gate, up, down, subset } = block;
  if (subset === undefined) return block;
  return {
    ...block,
    ...(gate && { gate: poisonedWeight(gate, subset) }),
    up: poisonedWeight(up, subset),
    down: { ...down, weight: poisonedWeight(down.weight, subset) },
  };
}

function poisonedWeight(weight: Weight, own: Uint32Array): Weight {
  const { bytes } = weight;
  const data = bytes.kind === "memory" ? bytes.data.slice() : readTensorBytes(bytes);
  const length = rowBytes(weight.type, weight.columns);
  const kept = new Set(own);
  for (let row = 0; row < weight.rows; row++) {
    // All bits set are NaN in F16.
    if (!kept.has(row)) data.fill(0xff, row * length, (row + 1) * length);
  }
  return { ...weight, bytes: { kind: "memory", data } };
}

async function logitsOf(backend: Backend, of: Model, method: SparsityMethod): Promise<number[]> {
  const downs = await Promise.all(
    of.layers.map((layer) => transposePlainly(requireBlock(layer).down.weight, "F16")),
  );
  const { program, slots } = buildProgram(of, {
    contextLength: 64,
    sequences: 1,
    maxRows: 16,
    maxOutputs: 1,
    kvType: "f32",
    output: "logits",
    methodFor: () => method,
    downRows: (layer) => downs[layer],
  });
  using executable = await backend.compile(program);
  const step = createStep(program.maxRows, program.maxOutputs);
  const found: number[] = [];
  let position = 0;
  // Prompts of many and of few rows, and an answer: they take different ways through a block.
  for (const rows of [16, 3, 1, 1]) {
    for (let row = 0; row < rows; row++) {
      step.position[row] = position;
      step.token[row] = (11 * position++ + 5) % of.vocabulary;
    }
    step.rowCount = rows;
    step.outputCount = 1;
    step.outputRow[0] = rows - 1;
    await executable.run(0, step);
    found.push(...executable.output(slots.logits!));
  }
  return found;
}

describe.skipIf(addon.kind === "missing")(`rows of the other device${skipped}`, () => {
  it.each(["dense", "gate"] as const)("are not read, with the method %s", async (kind) => {
    const expected = await logitsOf(createReferenceBackend(), model, { kind });
    using gpu = poisoned(createCpuBackend({ threads: 1 }));
    using cpu = poisoned(createCpuBackend({ threads: 2 }));
    const placement = placementOf(model, [{ attention: "gpu", hot: 0.4 }]);
    const found = await logitsOf(createHybridBackend({ gpu, cpu, placement }), model, { kind });
    expect(found.every(Number.isFinite)).toBe(true);
    // F16 weights are exact in both.
    expectClose([Float32Array.from(found)], [Float32Array.from(expected)]);
  });
});
