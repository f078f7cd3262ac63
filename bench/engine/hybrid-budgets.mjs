/**
 * Models larger than the card's budget: hot neurons on the card and cold ones on the processor, only the active ones
 * computed, beside the dense model at the same budget, where the planner puts whole layers on either device (one may be
 * split). For each model and each share of its bytes: measured tokens/s of both, and what the plan predicted. Needs
 * npm run build and a GPU adapter. The shapes that are judged, 10 % active, by make-model (and quantize to Q4_0):
 *   npm run make-model -- 7b.gguf --dim 4096 --layers 32 --ffn 11008 --heads 32 --kv-heads 32 --vocab 32000
 *     --type f16 --activation relu --active 0.1 --skew 0.7 --predictor-rank 1024 --powerinfer
 *   the same with --dim 5120 --layers 40 --ffn 13824 --heads 40 --kv-heads 40 for 13B
 *   node bench/engine/hybrid-budgets.mjs 7b.gguf 13b.gguf [--shares 0.25,0.5,0.75] [--tokens 64] [--rounds 5] [--gpu 0]
 *     [--context 512] [--hardware FILE] [--objective latency|paper] [--result bench/results/hybrid-CARD.json]
 * llama.cpp at the same budgets is measured by its own llama-bench with as many -ngl layers as the budget holds.
 */
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { spreadOf } from "../../dist/commands/bench/statistics.js";
import { bench, planPlacement } from "../../dist/index.js";
import { beginExperiment, endExperiment } from "./experiment.mjs";

const { values, positionals: models } = parseArgs({
  allowPositionals: true,
  options: {
    shares: { type: "string", default: "0.25,0.5,0.75" },
    tokens: { type: "string", default: "64" },
    rounds: { type: "string", default: "5" },
    gpu: { type: "string", default: "0" },
    context: { type: "string", default: "512" },
    hardware: { type: "string" },
    objective: { type: "string", default: "latency" },
    result: { type: "string" },
  },
});
if (models.length === 0) {
  console.error("usage: node bench/engine/hybrid-budgets.mjs MODEL.gguf… [--shares 0.25,0.5,0.75]");
  process.exit(2);
}
const rounds = Number(values.rounds);
const tokens = Number(values.tokens);
const contextLength = Number(values.context);
const { objective } = values;
const shape = { gpu: Number(values.gpu), ...(values.hardware && { hardware: values.hardware }) };

const began = await beginExperiment(
  "Models larger than the budget: hot and cold neurons beside dense layers",
  ["node bench/engine/hybrid-budgets.mjs", ...process.argv.slice(2)].join(" "),
);
const results = [];
const details = [];
for (const model of models) {
  const none = await planPlacement(model, { ...shape, contextLength, vramBudget: 0 });
  for (const share of values.shares.split(",").map(Number)) {
    const vramBudget = Math.floor(share * none.json.cpu_bytes);
    for (const sparsity of ["auto", "dense"]) await measure({ model, share, vramBudget, sparsity });
  }
}
endExperiment({ ...began, repetitions: rounds, results, details }, values.result);

async function measure({ model, share, vramBudget, sparsity }) {
  const planned = { ...shape, contextLength, vramBudget, sparsity, objective };
  const { json } = await planPlacement(model, planned);
  const report = await bench({
    models: [model],
    configurations: [{ ...shape, vramBudget, sparsity, objective, device: "hybrid" }],
    promptTokens: [],
    answerTokens: [tokens],
    repetitions: rounds,
  });
  const [measured] = report.results;
  const name = `${basename(model)}, ${100 * share} % of its bytes, ${measured.sparsity}`;
  const predicted = spreadOf([json.predicted_tokens_per_second]);
  results.push(
    { name, unit: "tokens/s", value: measured.tokens_per_second },
    { name: `${name}, predicted`, unit: "tokens/s", value: predicted },
  );
  const { gpu_bytes, cpu_bytes, gpu_activation_share } = json;
  const split = json.layers.map(({ hot, cold }) => ({ hot, cold }));
  details.push({
    name,
    device: measured.device,
    gpu_bytes,
    cpu_bytes,
    gpu_activation_share,
    split,
  });
}
