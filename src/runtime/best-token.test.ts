/** A step reads back one token, or the largest logits, where the device finds them and they decide; else all logits. */
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { Backend } from "../backends/backend.ts";
import { ForwardingExecutable } from "../backends/forwarding-executable.ts";
import { createReferenceBackend } from "../backends/reference/reference-backend.ts";
import { openGguf } from "../gguf/open.ts";
import { buildProgram } from "../model/build-program.ts";
import { openModel } from "../model/model.ts";
import type { Step } from "../ops/program.ts";
import { ActiveGeneration } from "./generation.ts";
import { resolveSampling, type SamplingOptions } from "./sampling/sampling-options.ts";
import { Scheduler } from "./scheduler.ts";
import { Session } from "./session.ts";

const model = openModel(
  openGguf(fileURLToPath(new URL("../../models/default.gguf", import.meta.url))),
);

/** Counts the runs of each segment. */
function counting(backend: Backend, runs: number[]): Backend {
  return {
    ...backend,
    compile: async (program, options) => {
      class Counting extends ForwardingExecutable {
        override run(segment: number, step: Step): Promise<void> {
          runs[segment] = (runs[segment] ?? 0) + 1;
          return super.run(segment, step);
        }
      }
      return new Counting(await backend.compile(program, options));
    },
  };
}

async function openSession(output: "logits" | "choice", runs: number[]): Promise<Session> {
  const { program, slots } = buildProgram(model, {
    contextLength: 32,
    sequences: 2,
    maxRows: 8,
    maxOutputs: 2,
    kvType: "f32",
    output,
  });
  const { logits, argmax, topK } = slots;
  const backend = counting(createReferenceBackend(), runs);
  const outputs = { logits: logits!, ...(argmax && { argmax }), ...(topK && { topK }) };
  return Session.open(backend, program, outputs);
}

function generation(options: SamplingOptions & { readonly logprobs?: number }): ActiveGeneration {
  const { logprobs, ...sampling } = options;
  return new ActiveGeneration(
    [1, 20, 30],
    {
      sampling: resolveSampling(sampling, model.vocabulary),
      maxTokens: 4,
      stop: [],
      endTokens: new Set(),
      whenFull: "finish",
      vocabulary: model.vocabulary,
      ...(logprobs !== undefined && { logprobs }),
    },
    { push: () => "", hiddenText: () => "", end: () => "" },
  );
}

async function answer(
  output: "logits" | "choice",
  ...all: readonly (SamplingOptions & { readonly logprobs?: number })[]
): Promise<{ readonly tokens: readonly (readonly number[])[]; readonly runs: number[] }> {
  const runs: number[] = [];
  using session = await openSession(output, runs);
  const scheduler = new Scheduler(session);
  const generations = all.map(generation);
  for (const one of generations) scheduler.submit(one);
  const results = await Promise.all(generations.map(({ result }) => result));
  return { tokens: results.map(({ tokens }) => tokens), runs };
}

const greedy = { temperature: 0 };

describe("a greedy answer", () => {
  it("is the same whether logits or best tokens are read", async () => {
    const byLogits = await answer("logits", greedy);
    const byBest = await answer("choice", greedy);
    expect(byBest.tokens).toEqual(byLogits.tokens);
    expect(byBest.runs).toEqual([4, undefined, 4]);
  });

  it.each([
    ["a bias", { ...greedy, logitBias: { 5: 1 } }],
    ["a repetition penalty", { ...greedy, repetitionPenalty: 1.1 }],
    ["log-probabilities", { ...greedy, logprobs: 2 }],
  ])("with %s reads logits", async (_, options) => {
    const { tokens, runs } = await answer("choice", options);
    expect(runs).toEqual([4, 4]);
    expect(tokens).toEqual((await answer("logits", options)).tokens);
  });

  it("reads what a neighbour in the batch needs", async () => {
    const alone = (await answer("logits", greedy)).tokens[0];
    // The first answer is alone in its first step; in the four steps behind it the other one samples.
    const withSome = await answer("choice", greedy, { temperature: 0.7, seed: 3 });
    expect(withSome.tokens[0]).toEqual(alone);
    expect(withSome.runs).toEqual([5, undefined, 1, 4]);
    const withAll = await answer("choice", greedy, { temperature: 0.7, seed: 3, topK: 0 });
    expect(withAll.tokens[0]).toEqual(alone);
    expect(withAll.runs).toEqual([5, 4, 1]);
  });
});

describe("a sampled answer", () => {
  const sampled = { temperature: 0.9, seed: 11 };

  it.each([
    ["as it comes", sampled],
    ["of the two likeliest", { ...sampled, topK: 2 }],
    ["of as many as the device finds", { ...sampled, topK: 128, topP: 1, minP: 0 }],
    ["locally typical", { ...sampled, typicalP: 0.7 }],
  ])("%s is the same from the largest logits as from all", async (_, options) => {
    const { tokens, runs } = await answer("choice", options);
    expect(runs).toEqual([4, undefined, undefined, 4]);
    expect(tokens).toEqual((await answer("logits", options)).tokens);
  });

  it.each([
    ["all tokens", { ...sampled, topK: 0 }],
    ["more tokens than the device finds", { ...sampled, topK: 129 }],
    ["penalised tokens", { ...sampled, presencePenalty: 0.5 }],
    ["biased tokens", { ...sampled, logitBias: { 7: 2 } }],
    ["scored tokens", { ...sampled, logprobs: 1 }],
  ])("of %s reads logits", async (_, options) => {
    const { tokens, runs } = await answer("choice", options);
    expect(runs).toEqual([4, 4]);
    expect(tokens).toEqual((await answer("logits", options)).tokens);
  });
});
