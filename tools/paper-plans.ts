/** The command `npm run paper-plans [WORD]`: what hearth plans for the paper's models on the paper's machines, as rows of docs/PAPER.md. */
import { GiB } from "../src/core/units.ts";
import { describedCards } from "../src/placement/described-cards.ts";
import { byteLimit } from "./paper-plans/byte-limit.ts";
import { paperModels, predictorRank } from "./paper-plans/models.ts";
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
