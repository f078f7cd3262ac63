/** One, four and sixteen answers at once on the card: tokens per second of all together, each as it is alone. */
import { Engine } from "../../src/engine/engine.ts";
import { certainTokens, greedyTokens, tokenProblem } from "./greedy-tokens.ts";
import { standIn } from "./models.ts";
import type { Context, Report, Section } from "./section.ts";

export const answersSection: Section = {
  name: "answers",
  title: "1, 4 and 16 answers at once",
  deadline: { full: 60, short: 240 },
  run,
};

async function run(context: Context, report: Report): Promise<void> {
  process.env["XDG_CACHE_HOME"] = context.folder;
  const { path } = await standIn(context);
  const isShort = context.mode === "short";
  const tokens = isShort ? 4 : 48;
  const most = 16;
  const common = {
    device: "gpu",
    gpu: context.gpu,
    contextLength: 128,
    sparsity: "dense",
    vramBudget: context.budget,
  } as const;
  using engine = await Engine.open(path, { ...common, sequences: most });
  const promptOf = (i: number): readonly number[] => [5, 17, 2, 9, 11, 30 + i];
  const alone: (readonly number[])[] = [];
  const judged = isShort ? 2 : most;
  for (let i = 0; i < judged; i++)
    alone.push(await certainTokens(engine, { prompt: promptOf(i), tokens }));
  for (const count of [1, 4, 16]) {
    const asked = Array.from({ length: count }, (_, i) => ({ prompt: promptOf(i), tokens }));
    // Kernels for so many rows are compiled with the first.
    if (!isShort) await Promise.all(asked.map((one) => greedyTokens(engine, one)));
    const began = performance.now();
    const found = await Promise.all(asked.map((one) => greedyTokens(engine, one)));
    const seconds = (performance.now() - began) / 1000;
    const problems = found.slice(0, judged).map((one, i) => tokenProblem(alone[i] ?? [], one));
    const problem = problems.find((one) => one !== undefined);
    report.check(
      `${count} at once write what each writes alone`,
      problem === undefined,
      problem ?? `${Math.min(count, judged)} compared`,
    );
    report.measure({
      name: `${count} at once, all together`,
      unit: "tokens/s",
      value: (count * tokens) / seconds,
    });
  }
}
