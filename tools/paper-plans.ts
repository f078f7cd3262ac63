/** The command `npm run paper-plans [WORD]`: what hearth plans for the paper's models on the paper's machines, as rows of docs/PAPER.md. */
import { GiB } from "../src/core/units.ts";
import { describedCards } from "../src/placement/described-cards.ts";
import { byteLimit } from "./paper-plans/byte-limit.ts";
import { answer, longPrompt, prompt } from "./paper-plans/long-prompts.ts";
import { firingRates, paperModels, predictorRank } from "./paper-plans/models.ts";
import { contextLength, planPaperModel } from "./paper-plans/plan-model.ts";

/** Figures 10, 11 and 13. */
const figures = [
  ["rtx-4090", 24, "f16", ["OPT-30B", "OPT-66B", "Falcon(ReLU)-40B", "LLaMA2(ReGLU)-70B"]],
  ["rtx-2080ti", 11, "f16", ["Bamboo-7B", "OPT-13B", "OPT-30B", "LLaMA2(ReGLU)-13B"]],
  ["rtx-4090", 24, "q4_0", ["OPT-66B", "OPT-175B", "Falcon(ReLU)-40B", "LLaMA2(ReGLU)-70B"]],
  ["rtx-2080ti", 11, "q4_0", ["OPT-30B", "OPT-66B", "Falcon(ReLU)-40B", "LLaMA2(ReGLU)-70B"]],
] as const;
/** A rank that is often trained; the paper's sizes vary by sparsity. */
const usualRank = 1024;

const wanted = process.argv[2] ?? "";
console.log(
  "| machine, type, model | rank | planned | byte limit | predicted on the card | attention on the card |",
);
console.log("|---|---|---|---|---|---|");
for (const [card, gibibytes, type, names] of figures) {
  const hardware = describedCards.get(card);
  if (hardware === undefined) throw new Error(`no card ${card}`);
  const budgetBytes = gibibytes * GiB;
  for (const model of paperModels.filter(({ name }) => names.some((one) => one === name))) {
    const title = `${card}, ${type.toUpperCase()}, ${model.name}`;
    if (!title.includes(wanted)) continue;
    for (const rank of new Set([usualRank, predictorRank(model)])) {
      const { predictedTokensPerSecond, layers } = await planPaperModel({
        ...{ model, type, rank, hardware, budgetBytes },
      });
      const weights = type === "f16" ? "F16" : "Q4_0";
      const limit = byteLimit(model, {
        ...{ type: weights, rank, context: contextLength, hardware, budgetBytes },
      });
      const predicting = layers.filter(
        ({ predictorDevice }) => predictorDevice !== undefined,
      ).length;
      const attention = layers.filter(({ attentionDevice }) => attentionDevice !== "cpu").length;
      const numbers = [predictedTokensPerSecond, limit].map((value) => value.toPrecision(3));
      console.log(
        `| ${[title, rank, ...numbers, predicting, `${attention} of ${layers.length}`].join(" | ")} |`,
      );
    }
  }
}

/** Table 4, on PC-High. */
const hardware = describedCards.get("rtx-4090");
if (hardware === undefined) throw new Error("no card rtx-4090");
console.log(
  "\n| Table 4, F16 | rank | prompt, s | streamed, GB | answer, s | sum, s |\n|---|---|---|---|---|---|",
);
for (const name of ["LLaMA2(ReGLU)-13B", "Falcon(ReLU)-40B"]) {
  const model = paperModels.find((one) => one.name === name);
  if (model === undefined || !`Table 4, ${name}`.includes(wanted)) continue;
  const rank = predictorRank(model);
  const options = {
    contextLength: prompt + answer,
    batchSize: 2048,
    promptStream: "always",
  } as const;
  const plan = await planPaperModel({
    ...{ model, type: "f16", rank, hardware, budgetBytes: 24 * GiB, options },
  });
  const rates = firingRates(model);
  const activity = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  const { promptSeconds, answerSeconds, streamedBytes } = longPrompt(model, plan, {
    ...{ hardware, activity },
  });
  const numbers = [
    promptSeconds,
    streamedBytes / 1e9,
    answerSeconds,
    promptSeconds + answerSeconds,
  ];
  console.log(`| ${[name, rank, ...numbers.map((value) => value.toPrecision(3))].join(" | ")} |`);
}
