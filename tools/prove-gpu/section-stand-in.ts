/**
 * A sparse model that does not fit: tokens per second with hot and cold neurons at a quarter, a half and three quarters of its
 * bytes, beside dense layers at the same budgets, all on the card and all on the processor; measured over predicted.
 */
import { planPlacement } from "../../src/commands/plan.ts";
import { median } from "../../src/core/numbers.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineOptions } from "../../src/engine/options.ts";
import { standIn } from "./models.ts";
import type { Context, Report, Section } from "./section.ts";
import { numberIn } from "./section-budgets.ts";

const prompt = [5, 17, 2, 9, 11, 30];
const shares = [0.25, 0.5, 0.75];

export const standInSection: Section = {
  name: "stand-in",
  title: "A sparse model at 25, 50 and 75 % of its bytes, measured over predicted",
  deadline: { full: 120, short: 300 },
  run,
};

async function run(context: Context, report: Report): Promise<void> {
  process.env["XDG_CACHE_HOME"] = context.folder;
  const { path } = await standIn(context);
  report.progress("the model is made; the machine is measured");
  const none = await planPlacement(path, { ...shapeOf(context), vramBudget: 0 });
  const bytes = numberIn(none.json, "cpu_bytes");
  report.note(`${bytes} bytes in all`);
  for (const share of shares) {
    const vramBudget = Math.floor(share * bytes);
    const at = `${Math.round(100 * share)} % of its bytes`;
    await measure(`hybrid, ${at}`, { device: "hybrid", sparsity: "mlp", vramBudget }, asked());
    await measure(
      `hybrid, dense, ${at}`,
      { device: "hybrid", sparsity: "dense", vramBudget },
      asked(),
    );
  }
  for (const sparsity of ["mlp", "dense"] as const) {
    await measure(
      `gpu, ${sparsity}`,
      { device: "gpu", sparsity, vramBudget: context.budget },
      asked(),
    );
    await measure(`cpu, ${sparsity}`, { device: "cpu", sparsity }, asked());
  }

  function asked(): Asked {
    return { path, context, report };
  }
}

function shapeOf({ gpu, mode }: Context) {
  return { gpu, contextLength: mode === "short" ? 64 : 512 } as const;
}

interface Asked {
  readonly path: string;
  readonly context: Context;
  readonly report: Report;
}

async function measure(
  name: string,
  options: EngineOptions,
  { path, context, report }: Asked,
): Promise<void> {
  const [tokens, rounds] = context.mode === "short" ? [8, 1] : [48, 3];
  const { gpu, contextLength } = shapeOf(context);
  const isCpu = options.device === "cpu";
  using engine = await Engine.open(path, { ...options, contextLength, ...(isCpu ? {} : { gpu }) });
  const answer = async (): Promise<number> => {
    const ask = { temperature: 0, maxTokens: tokens, ignoreEos: true };
    const { timings, completionTokens } = await engine.generate(prompt, ask).result;
    if (completionTokens !== tokens)
      report.check(name, false, `${completionTokens} of ${tokens} tokens`);
    return timings.decodeTokensPerSecond;
  };
  await answer();
  const speeds: number[] = [];
  for (let round = 0; round < rounds; round++) speeds.push(await answer());
  const value = median(speeds);
  report.check(`${name} answers`, value > 0, engine.device);
  const predicted = await predictedSpeed(options, { path, context, report });
  const against = { kind: "prediction", value: predicted } as const;
  report.measure({ name, unit: "tokens/s", value, against });
}

/** The plan's: on the processor with no budget, on the card with one that holds everything. */
async function predictedSpeed(
  { device, sparsity = "auto", vramBudget = 0 }: EngineOptions,
  { path, context }: Asked,
): Promise<number> {
  const objective = device === "gpu" ? "paper" : "latency";
  const { json } = await planPlacement(path, {
    ...shapeOf(context),
    vramBudget,
    sparsity,
    objective,
  });
  return numberIn(json, "predicted_tokens_per_second");
}
