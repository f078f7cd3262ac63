/**
 * Whole models against answers that others computed: the default model (PyTorch), stories260K (as its author
 * published it) and PowerInfer's own files (its binary, one thread). On the reference backend, so this proves the
 * model descriptions; the fast backends are compared with the reference elsewhere.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it, vi } from "vitest";
import type { Executable } from "../../src/backends/backend.ts";
import { createReferenceBackend } from "../../src/backends/reference/reference-backend.ts";
import { openGguf } from "../../src/gguf/open.ts";
import { buildProgram, type ModelSlots } from "../../src/model/build-program.ts";
import type { MethodChoice } from "../../src/model/graph.ts";
import { openModel } from "../../src/model/model.ts";
import { createStep } from "../../src/ops/program.ts";

/** Whole models answer in plain TypeScript. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const dataFolder = process.env["HEARTH_TEST_DATA"];
const withoutData = dataFolder === undefined ? " (skipped: HEARTH_TEST_DATA is not set)" : "";

interface Run extends Disposable {
  /** Appends tokens at `position` and returns the logits after the last one. */
  readonly logits: (tokens: readonly number[], position: number) => Promise<Float32Array>;
}

async function startRun(
  path: string,
  options: { readonly methodFor?: MethodChoice } = {},
): Promise<Run> {
  const maxRows = 16;
  const { program, slots } = buildProgram(openModel(openGguf(path)), {
    contextLength: 512,
    sequences: 1,
    maxRows,
    maxOutputs: 1,
    kvType: "f32",
    output: "logits",
    ...options,
  });
  const executable = await createReferenceBackend().compile(program);
  return {
    logits: async (tokens, position) => {
      for (let done = 0; done < tokens.length; done += maxRows) {
        await runRows(executable, {
          tokens: tokens.slice(done, done + maxRows),
          at: position + done,
        });
      }
      return executable.output(logitsOf(slots));
    },
    [Symbol.dispose]: () => executable[Symbol.dispose](),
  };
}

function logitsOf(slots: ModelSlots): NonNullable<ModelSlots["logits"]> {
  if (slots.logits === undefined) throw new Error("the program was built without logits");
  return slots.logits;
}

async function runRows(
  executable: Executable,
  rows: { readonly tokens: readonly number[]; readonly at: number },
): Promise<void> {
  const step = createStep(rows.tokens.length, 1);
  step.rowCount = rows.tokens.length;
  step.outputCount = 1;
  step.outputRow[0] = rows.tokens.length - 1;
  for (const [row, token] of rows.tokens.entries()) {
    step.token[row] = token;
    step.position[row] = rows.at + row;
  }
  await executable.run(0, step);
}

function best(logits: Float32Array): number {
  return logits.indexOf(Math.max(...logits));
}

async function greedy(run: Run, prompt: readonly number[], count: number): Promise<number[]> {
  const ids: number[] = [];
  let next = best(await run.logits(prompt, 0));
  for (;;) {
    ids.push(next);
    if (ids.length === count) return ids;
    next = best(await run.logits([next], prompt.length + ids.length - 1));
  }
}

interface Golden {
  readonly prompt_ids: number[];
  readonly greedy_ids: number[];
}

describe("the default model", () => {
  const path = fileURLToPath(new URL("../../models/default.gguf", import.meta.url));
  const file = new URL("default.json", import.meta.url);
  const golden: { prompts: (Golden & { top5_logprobs: [number, number][] })[] } = JSON.parse(
    readFileSync(file, "utf8"),
  );

  it("continues every golden prompt with the golden tokens", async () => {
    using run = await startRun(path);
    expect(golden.prompts.length).toBeGreaterThan(0);
    for (const { prompt_ids, greedy_ids } of golden.prompts) {
      expect(await greedy(run, prompt_ids, greedy_ids.length)).toEqual(greedy_ids);
    }
  });

  it("gives the golden log probabilities within 2e-3", async () => {
    using run = await startRun(path);
    let compared = 0;
    for (const { prompt_ids, top5_logprobs } of golden.prompts) {
      const logits = await run.logits(prompt_ids, 0);
      const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
      for (const [id, logprob] of top5_logprobs) {
        expect(Math.abs((logits[id] ?? Number.NaN) - total - logprob)).toBeLessThan(2e-3);
        compared++;
      }
    }
    expect(golden.prompts.length).toBeGreaterThan(0);
    expect(compared).toBe(5 * golden.prompts.length);
  });
});

describe.skipIf(dataFolder === undefined)(`stories260K${withoutData}`, () => {
  const folder = `${dataFolder}/models/stories260K`;

  it("tells the story that its author published, from an empty prompt", async () => {
    const path = `${folder}/stories260K-f32.gguf`;
    const tokens = openGguf(path).metadata.strings("tokenizer.ggml.tokens");
    using run = await startRun(path);
    const ids = await greedy(run, [1], 256);
    const text = ids.map((id) => tokens[id]?.replaceAll("▁", " ").replace("<0x0A>", "\n")).join("");
    const expected = readFileSync(`${folder}/greedy-expected.txt`, "utf8");
    expect(text.trim()).toEqual(expected.trim().slice(0, text.trim().length));
    expect(text.length).toBeGreaterThan(expected.length * 0.9);
  });
});

describe.skipIf(dataFolder === undefined)(`PowerInfer's files${withoutData}`, () => {
  it.each(["llama-0", "bamboo-3", "falcon-0", "opt-0"])(
    "%s speaks as PowerInfer's binary does",
    async (name) => {
      const stem = `${dataFolder}/models/powerinfer/${name}`;
      const golden: Golden = JSON.parse(readFileSync(`${stem}.json`, "utf8"));
      using run = await startRun(`${stem}.powerinfer.gguf`);
      const ids = await greedy(run, golden.prompt_ids, golden.greedy_ids.length);
      expect(ids).toEqual(golden.greedy_ids);
    },
  );
});
