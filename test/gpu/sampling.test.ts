/**
 * Sampled answers of the bundled model on the GPU: what a step reads back is what its sampler needs, and the tokens are
 * those of the CPU for the same seed.
 */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../src/backends/backend.ts";
import { createReferenceBackend } from "../../src/backends/reference/reference-backend.ts";
import { listAdapters } from "../../src/backends/webgpu/adapter.ts";
import type { StepUse } from "../../src/backends/webgpu/gpu-counts.ts";
import { createWebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";
import { openGguf } from "../../src/gguf/open.ts";
import { buildProgram } from "../../src/model/build-program.ts";
import { openModel } from "../../src/model/model.ts";
import { ActiveGeneration } from "../../src/runtime/generation.ts";
import { countGpu } from "../../src/runtime/gpu-use.ts";
import { resolveSampling, type SamplingOptions } from "../../src/runtime/sampler.ts";
import { Scheduler } from "../../src/runtime/scheduler.ts";
import { Session } from "../../src/runtime/session.ts";

const adapters = await listAdapters();
const model = openModel(
  openGguf(fileURLToPath(new URL("../../models/default.gguf", import.meta.url))),
);
const length = 6;

async function openSession(backend: Backend, output: "logits" | "choice"): Promise<Session> {
  const { program, slots } = buildProgram(model, {
    contextLength: 64,
    sequences: 1,
    maxRows: 8,
    maxOutputs: 1,
    kvType: "f16",
    output,
  });
  const { logits, argmax, topK } = slots;
  const outputs = { logits: logits!, ...(argmax && { argmax }), ...(topK && { topK }) };
  return Session.open(backend, program, outputs);
}

async function answer(session: Session, sampling: SamplingOptions): Promise<readonly number[]> {
  const settings = {
    sampling: resolveSampling(sampling, model.vocabulary),
    maxTokens: length,
    stop: [],
    endTokens: new Set<number>(),
    whenFull: "finish",
    vocabulary: model.vocabulary,
  } as const;
  const generation = new ActiveGeneration([1, 20, 30], settings, {
    push: () => "",
    end: () => "",
  });
  new Scheduler(session).submit(generation);
  return (await generation.result).tokens;
}

describe.skipIf(adapters.length === 0)("sampling on the GPU (skipped without a driver)", () => {
  let gpu: Session;
  let cpu: Session;
  let decodeUse: () => StepUse;
  const backends: Backend[] = [];
  beforeAll(async () => {
    const webgpu = await createWebGpuBackend({ adapter: 0 });
    const counted: Backend = {
      ...webgpu,
      prepare: async (program, options) => {
        const { executable, use } = countGpu(await webgpu.prepare(program, options));
        decodeUse = () => use().decode;
        return executable;
      },
    };
    const reference = createReferenceBackend();
    backends.push(webgpu, reference);
    gpu = await openSession(counted, "choice");
    cpu = await openSession(reference, "logits");
  });
  afterAll(() => {
    gpu[Symbol.dispose]();
    for (const backend of backends) backend[Symbol.dispose]();
  });

  /** Bytes read back for each token behind the first, whose step reads a prompt. */
  async function bytesOf(sampling: SamplingOptions): Promise<number> {
    const before = decodeUse();
    await answer(gpu, sampling);
    const after = decodeUse();
    return (after.bytesReadBack - before.bytesReadBack) / (after.tokens - before.tokens);
  }

  it.each([{ seed: 1 }, { seed: 2, temperature: 1, topK: 3 }, { temperature: 0 }])(
    "draws the CPU's tokens with %o",
    async (sampling) => {
      expect(await answer(gpu, sampling)).toEqual(await answer(cpu, sampling));
    },
  );

  it("reads back a token for a greedy answer, 128 pairs for a sampled one, logits where all count", async () => {
    expect(await bytesOf({ temperature: 0 })).toBe(4);
    expect(await bytesOf({ seed: 3 })).toBe(128 * 8);
    expect(await bytesOf({ seed: 3, topK: 0 })).toBe(model.vocabulary * 4);
    expect(await bytesOf({ seed: 3, repetitionPenalty: 1.1 })).toBe(model.vocabulary * 4);
  });
});
