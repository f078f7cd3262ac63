/**
 * stories260K in F32 on the GPU: the CPU's greedy tokens, as far as its two best logits are no nearer than rounding
 * may move them. Needs the folder HEARTH_TEST_DATA.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Backend, Executable } from "../../src/backends/backend.ts";
import { createReferenceBackend } from "../../src/backends/reference/reference-backend.ts";
import { listAdapters } from "../../src/backends/webgpu/adapter.ts";
import { createWebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";
import { openGguf } from "../../src/gguf/open.ts";
import { buildProgram } from "../../src/model/build-program.ts";
import { openModel } from "../../src/model/model.ts";
import type { Slot } from "../../src/ops/op.ts";
import { createStep } from "../../src/ops/program.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const data = process.env["HEARTH_TEST_DATA"];
const adapters = await listAdapters();
const reason =
  data === undefined ? "HEARTH_TEST_DATA is not set" : adapters.length === 0 ? "no driver" : "";
/** The one token of the prompt: BOS. */
const begin = 1;
const length = 64;
/** Two best logits closer than this may change places. */
const tie = 1e-3;

interface Runner {
  readonly executable: Executable;
  readonly logits: Slot;
}

async function prepare(backend: Backend): Promise<Runner> {
  const model = openModel(openGguf(`${data}/models/stories260K/stories260K-f32.gguf`));
  const { program, slots } = buildProgram(model, {
    contextLength: 128,
    sequences: 1,
    maxRows: 1,
    maxOutputs: 1,
    kvType: "f32",
    output: "logits",
  });
  return { executable: await backend.compile(program), logits: slots.logits! };
}

/** The likeliest token behind `token`, and how far its logit is from the next. */
async function next(
  { executable, logits }: Runner,
  token: number,
  position: number,
): Promise<{ readonly best: number; readonly margin: number }> {
  const step = createStep(1, 1);
  step.rowCount = 1;
  step.token[0] = token;
  step.position[0] = position;
  step.outputCount = 1;
  await executable.run(0, step);
  const values = executable.output(logits);
  const [best = 0, second = 0] = [...values.keys()].sort((a, b) => values[b]! - values[a]!);
  return { best, margin: values[best]! - values[second]! };
}

describe.skipIf(reason !== "")(`stories260K on the GPU${reason && ` (skipped: ${reason})`}`, () => {
  const backends: Backend[] = [];
  let gpu: Runner;
  let cpu: Runner;
  beforeAll(async () => {
    backends.push(await createWebGpuBackend({ adapter: 0 }), createReferenceBackend());
    [gpu, cpu] = [await prepare(backends[0]!), await prepare(backends[1]!)];
  });
  afterAll(() => {
    gpu.executable[Symbol.dispose]();
    for (const backend of backends) backend[Symbol.dispose]();
  });

  it(`writes the CPU's first ${length} tokens`, async () => {
    let token = begin;
    let compared = 0;
    for (let position = 0; position < length; position++) {
      const wanted = await next(cpu, token, position);
      const got = await next(gpu, token, position);
      if (wanted.margin < tie) break;
      expect(got.best).toBe(wanted.best);
      compared++;
      token = wanted.best;
    }
    expect(compared).toBeGreaterThan(length / 2);
  });
});
