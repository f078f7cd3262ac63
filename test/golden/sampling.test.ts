/** Stages against native llama.cpp: the same logits (tools/prove-sampling.mjs), the same tokens left, the same probabilities. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { openTokenizer } from "../../src/commands/inspect.ts";
import { createRandom } from "../../src/core/random.ts";
import { Candidates } from "../../src/runtime/sampling/candidates.ts";
import {
  resolveSampling,
  type SamplingOptions,
} from "../../src/runtime/sampling/sampling-options.ts";
import { changesOf, filtersOf } from "../../src/runtime/sampling/stages.ts";
import { BreakerFinder } from "../../src/text/sequence-breakers.ts";

interface Golden {
  readonly prompt: string;
  readonly tokens: readonly number[];
  readonly logits: readonly number[];
  readonly cases: readonly {
    readonly name: string;
    readonly options: Readonly<Record<string, unknown>>;
    /** How many tokens are left. */
    readonly left: number;
    /** Of some: the likeliest, the least likely, and those of the prompt. */
    readonly probabilities: readonly (readonly [number, number])[];
  }[];
}

const golden: Golden = JSON.parse(
  readFileSync(new URL("./sampling.json", import.meta.url), "utf8"),
);
const tokenizer = openTokenizer(
  fileURLToPath(new URL("../../models/default.gguf", import.meta.url)),
);
const breakers = new BreakerFinder(tokenizer);
const vocabulary = golden.logits.length;

/** llama.cpp's words for ours. */
const names: Readonly<Record<string, keyof SamplingOptions>> = {
  temperature: "temperature",
  top_k: "topK",
  top_p: "topP",
  min_p: "minP",
  typical_p: "typicalP",
  top_n_sigma: "topNSigma",
  xtc_probability: "xtcProbability",
  xtc_threshold: "xtcThreshold",
  dynatemp_range: "dynatempRange",
  dynatemp_exponent: "dynatempExponent",
  mirostat: "mirostat",
  mirostat_tau: "mirostatTau",
  repeat_penalty: "repetitionPenalty",
  presence_penalty: "presencePenalty",
  frequency_penalty: "frequencyPenalty",
  repeat_last_n: "penaltyWindow",
  dry_multiplier: "dryMultiplier",
  dry_base: "dryBase",
  dry_allowed_length: "dryAllowedLength",
  dry_penalty_last_n: "dryPenaltyLastN",
  dry_sequence_breakers: "drySequenceBreakers",
  logit_bias: "logitBias",
};

/** By token, 0 for those that are out of the race. */
function probabilities(options: Readonly<Record<string, unknown>>): readonly number[] {
  const off: SamplingOptions = { temperature: 1, topK: 0, topP: 1, minP: 0, seed: 1 };
  const given = Object.entries(options).map(([name, value]) => [names[name], value]);
  const sampling = resolveSampling({ ...off, ...Object.fromEntries(given) }, vocabulary, (text) =>
    tokenizer.encode(text, { addBos: "never" }),
  );
  const stages = [
    ...changesOf(sampling, vocabulary, breakers.of(sampling.drySequenceBreakers)),
    ...filtersOf(sampling, vocabulary, createRandom(1)),
  ];
  for (const token of golden.tokens) for (const stage of stages) stage.accept?.(token);
  const candidates = new Candidates(vocabulary);
  candidates.load(Float32Array.from(golden.logits));
  for (const stage of stages) stage.apply(candidates);
  candidates.draw(0);
  return golden.logits.map((_, token) => candidates.probabilityOf(token));
}

/**
 * llama.cpp adds probabilities in floats: each sum is off by at most an epsilon a term. Logits are rounded to 5e-6, and shares are
 * written with six digits.
 */
const tolerance = vocabulary * 2 ** -24 + 2 * 5e-6 + 5e-6;

describe("sampling, beside native llama.cpp", () => {
  it("begins with the same tokens", () => {
    expect(tokenizer.encode(golden.prompt)).toEqual(golden.tokens);
  });

  it.each(golden.cases)("leaves the same tokens as likely: $name", (golden) => {
    const found = probabilities(golden.options);
    expect(found.filter((probability) => probability > 0)).toHaveLength(golden.left);
    for (const [token, expected] of golden.probabilities) {
      expect(Math.abs(found[token]! / expected - 1), `token ${token}`).toBeLessThan(tolerance);
    }
  });
});
