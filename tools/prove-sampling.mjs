/**
 * Writes test/golden/sampling.json: the logits of one place in a text by native llama-server, and what its samplers make of them,
 * setting by setting. Run: node tools/prove-sampling.mjs LLAMA_SERVER [ARGUMENT…], where the arguments come before the server's own.
 */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const [command, ...first] = process.argv.slice(2);
if (command === undefined) throw new Error("which llama-server?");
const port = 18_731;
const prompt = "The king had a son: the king had a daughter, and the king had a";
const model = "models/default.gguf";
const server = spawn(command, [...first, "-m", model, "--port", `${port}`, "-t", "1", "-np", "1"], {
  stdio: "ignore",
});

async function ask(path, body) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: body === undefined ? "GET" : "POST",
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

/** Options in the words of llama.cpp's /completion. Those that are not given are off. */
function cases(tokens) {
  const dry = { dry_multiplier: 0.8, dry_penalty_last_n: 64 };
  const far = { dry_allowed_length: 1, dry_base: 1.5, dry_sequence_breakers: ["zzz"] };
  return [
    ["temperature", { temperature: 0.5 }],
    ["top-k", { top_k: 5 }],
    ["top-p", { top_p: 0.7 }],
    ["min-p", { min_p: 0.2 }],
    ["typical", { typical_p: 0.6 }],
    ["top-n-sigma", { top_n_sigma: 2.5 }],
    ["XTC", { xtc_probability: 1, xtc_threshold: 0.012 }],
    ["XTC above one half", { xtc_probability: 1, xtc_threshold: 0.51 }],
    [
      "dynamic temperature",
      { temperature: 0.8, dynatemp_range: 0.5, dynatemp_exponent: 1.5, top_k: 20 },
    ],
    ["Mirostat 1", { mirostat: 1, mirostat_tau: 4.6 }],
    ["Mirostat 2", { mirostat: 2, mirostat_tau: 4.6 }],
    [
      "penalties",
      { repeat_penalty: 1.3, presence_penalty: 0.4, frequency_penalty: 0.3, repeat_last_n: 8 },
    ],
    ["DRY", dry],
    ["DRY without breakers", { ...dry, ...far }],
    ["DRY of a window", { ...dry, ...far, dry_penalty_last_n: 11 }],
    [
      "biases",
      {
        logit_bias: [
          [tokens[2], 3.5],
          [" son", -2],
          [tokens[5], false],
        ],
      },
    ],
    [
      "all in order",
      {
        temperature: 0.9,
        top_k: 40,
        typical_p: 0.9,
        top_p: 0.9,
        min_p: 0.02,
        xtc_probability: 1,
        xtc_threshold: 0.04,
        repeat_penalty: 1.1,
        dry_multiplier: 0.3,
      },
    ],
  ];
}

/**
 * llama-server gives out log-probabilities, penalties work on logits: what both differ by follows from a token whose positive
 * logit was divided by 1.5. `shares`: then, by token.
 */
function logSumOf(logprobs, shares, tokens) {
  const moved = new Set(tokens);
  const free = [...shares.keys()].filter((id) => !moved.has(id)).slice(0, 50);
  const shift = (id) => Math.log(shares.get(id)) - logprobs[id];
  const common = free.reduce((sum, id) => sum + shift(id), 0) / free.length;
  const likeliest = [...moved].sort((a, b) => logprobs[b] - logprobs[a])[0];
  return (shift(likeliest) - common) / (1 / 1.5 - 1) - logprobs[likeliest];
}

try {
  for (let tries = 0; tries < 100; tries++) {
    const isUp = await ask("/health").catch(() => undefined);
    if (isUp) break;
    await sleep(200);
  }
  const { tokens } = await ask("/tokenize", { content: prompt, add_special: true });
  const vocabulary = (await ask("/v1/models")).data[0].meta.n_vocab;
  const off = { temperature: 1, top_k: 0, top_p: 1, min_p: 0, seed: 1 };
  const fixed = { prompt: tokens, n_predict: 1, n_probs: vocabulary, cache_prompt: false };
  const complete = async (options, post) =>
    (await ask("/completion", { ...fixed, ...off, ...options, post_sampling_probs: post }))
      .completion_probabilities[0];
  const logprobs = [];
  for (const { id, logprob } of (await complete({}, false)).top_logprobs) logprobs[id] = logprob;
  const sharesOf = async (options) =>
    (await complete(options, true)).top_probs.filter(({ prob }) => prob > 0);
  const penalised = await sharesOf({ repeat_penalty: 1.5 });
  const shares = new Map(penalised.map(({ id, prob }) => [id, prob]));
  const logSum = logSumOf(logprobs, shares, tokens);
  const golden = { prompt, tokens, logits: logprobs.map((x) => Number((x + logSum).toFixed(5))) };
  golden.cases = [];
  for (const [name, options] of cases(tokens)) {
    const left = await sharesOf({ ...options });
    const shown = left.filter(({ id }, i) => i < 10 || i >= left.length - 2 || tokens.includes(id));
    const probabilities = shown.map(({ id, prob }) => [id, Number(prob.toPrecision(6))]);
    golden.cases.push({ name, options, left: left.length, probabilities });
  }
  writeFileSync("test/golden/sampling.json", `${JSON.stringify(golden)}\n`);
} finally {
  server.kill();
}
