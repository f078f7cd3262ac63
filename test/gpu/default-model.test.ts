/**
 * The bundled model on the GPU: the greedy tokens that PyTorch computed, what a token costs in dispatches and bytes,
 * and that a first run's compiling stays short.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { listAdapters } from "../../src/backends/webgpu/adapter.ts";
import type { GpuExecutable } from "../../src/backends/webgpu/executable.ts";
import {
  createWebGpuBackend,
  type WebGpuBackend,
} from "../../src/backends/webgpu/webgpu-backend.ts";
import { openGguf } from "../../src/gguf/open.ts";
import { buildProgram, type ModelProgram } from "../../src/model/build-program.ts";
import { openModel } from "../../src/model/model.ts";
import { createStep } from "../../src/ops/program.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

interface Golden {
  readonly prompts: readonly {
    readonly prompt: string;
    readonly prompt_ids: readonly number[];
    readonly greedy_ids: readonly number[];
  }[];
}

const repository = fileURLToPath(new URL("../../", import.meta.url));
const golden: Golden = JSON.parse(readFileSync(`${repository}test/golden/default.json`, "utf8"));
const adapters = await listAdapters();
/** Two best logits closer than this may change places: rounding differs between machines. */
const tie = 1e-3;

function build(output: "logits" | "argmax"): ModelProgram {
  return buildProgram(openModel(openGguf(`${repository}models/default.gguf`)), {
    contextLength: 512,
    sequences: 1,
    maxRows: 64,
    maxOutputs: 1,
    kvType: "f16",
    output,
  });
}

async function runTokens(
  executable: GpuExecutable,
  tokens: readonly number[],
  position: number,
): Promise<void> {
  const step = createStep(64, 1);
  step.rowCount = tokens.length;
  step.token.set(tokens);
  step.position.set(tokens.map((_, i) => position + i));
  step.outputCount = 1;
  step.outputRow[0] = tokens.length - 1;
  await executable.run(0, step);
}

describe.skipIf(adapters.length === 0)(
  "the default model on the GPU (skipped without a driver)",
  () => {
    let backend: WebGpuBackend;
    beforeAll(async () => {
      backend = await createWebGpuBackend({ adapter: 0 });
    });
    afterAll(() => backend[Symbol.dispose]());

    it.each(golden.prompts)(
      "continues $prompt as PyTorch does",
      async ({ prompt_ids, greedy_ids }) => {
        const { program, slots } = build("logits");
        using executable = await backend.compile(program);
        let tokens: readonly number[] = prompt_ids;
        let position = 0;
        let compared = 0;
        for (const wanted of greedy_ids.slice(0, 24)) {
          await runTokens(executable, tokens, position);
          position += tokens.length;
          const logits = [...executable.output(slots.logits!)];
          const ranked = logits
            .map((logit, id) => ({ logit, id }))
            .sort((a, b) => b.logit - a.logit);
          if (ranked[0]!.logit - ranked[1]!.logit < tie) break;
          expect(ranked[0]!.id).toBe(wanted);
          compared++;
          tokens = [wanted];
        }
        expect(compared).toBeGreaterThan(0);
      },
    );

    it("takes 8 dispatches a layer and 5 besides, one submission and four bytes back for a token", async () => {
      const { program, slots } = build("argmax");
      using executable = await backend.compile(program);
      await runTokens(executable, [1, 2, 3], 0);
      executable.gpuCounts();
      await runTokens(executable, [4], 3);
      expect(executable.output(slots.argmax!).length).toBe(1);
      const counts = executable.gpuCounts();
      // A layer: norm; q, k, v; rope and store; attention; output and residual; norm; up and activation; down and
      // residual. Besides: embed, norm, select, logits, arg-max.
      expect(counts.dispatches).toBe(program.segments[0]!.layers!.length * 8 + 5);
      expect(counts.submits).toBe(1);
      expect(counts.bytesReadBack).toBe(4);
      expect(counts.bytesUploaded).toBe(32);
      expect([counts.bindGroups, counts.buffers]).toEqual([0, 0]);
    });

    it("compiles 10 kernels at load, 3 for a short prompt, 6 for the first long one, and no others", async () => {
      using fresh = await createWebGpuBackend({ adapter: 0 });
      const { program } = build("argmax");
      using executable = await fresh.compile(program);
      const compiled = [executable.gpuCounts().pipelines];
      let position = 0;
      for (const length of [3, 1, 40, 1, 2]) {
        await runTokens(executable, Array(length).fill(5), position);
        position += length;
        compiled.push(executable.gpuCounts().pipelines);
      }
      // One row: embed; norm; q, k, v; store; attention; output; up; down is as output; select; logits; arg-max. The
      // products have a form for up to 16 rows and a tiled one, that of down in parts which are joined; attention a tiled one.
      expect(compiled).toEqual([10, 3, 0, 6, 0, 0]);
    });
  },
);
