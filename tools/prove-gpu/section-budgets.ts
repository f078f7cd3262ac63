/**
 * What a budget of the card's memory promises, from nothing to the whole model: the processor's tokens, and not a byte more
 * than planned. Plans are made for a described card whose link costs next to nothing: else small models are not worth sharing.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { planPlacement } from "../../src/commands/plan.ts";
import { OptionError } from "../../src/core/errors.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineOptions } from "../../src/engine/options.ts";
import { describedCards } from "../../src/placement/described-cards.ts";
import { serialiseHardwareProfile } from "../../src/placement/hardware.ts";
import { certainTokens, greedyTokens, tokenProblem } from "./greedy-tokens.ts";
import { bundledModel, type ProofModel, syntheticModels } from "./models.ts";
import type { Context, Report, Section } from "./section.ts";

const prompt = [5, 17, 2, 9, 11, 30];
const allShares = [0, 0.3, 0.6, 0.85, 1];

export const budgetsSection: Section = {
  name: "budgets",
  title: "Four models at five budgets: tokens and bytes",
  deadline: { full: 90, short: 300 },
  run: async (context, report) => {
    process.env["XDG_CACHE_HOME"] = context.folder;
    const hardware = nearCard(context.folder);
    let isFirst = true;
    for (const model of [...(await syntheticModels(context)), bundledModel]) {
      // A driver in software compiles every kernel anew for each: all budgets of one model only.
      const shares = context.mode === "full" || isFirst ? allShares : [0.6, 1];
      isFirst = false;
      await proveBudgets(
        model,
        { shares, hardware, gpu: context.gpu, tokens: tokensOf(context) },
        report,
      );
    }
  },
};

function tokensOf({ mode }: Context): number {
  return mode === "short" ? 8 : 24;
}

interface BudgetRequest {
  readonly shares: readonly number[];
  /** A profile's file, or a described card. */
  readonly hardware: string;
  readonly gpu: number;
  readonly tokens: number;
}

async function proveBudgets(
  model: ProofModel,
  request: BudgetRequest,
  report: Report,
): Promise<void> {
  const { path, sparsity } = model;
  const { hardware, gpu, tokens, shares } = request;
  // Inputs of quantised weights are not rounded on the card: nor are they here, so that tokens are comparable.
  const common = { sparsity, contextLength: 64, batchSize: 8, threads: 1, exact: true } as const;
  const certain = await tokensOnCpu(path, common, tokens);
  const whole = await wholeBytes(path, { ...common, hardware, gpu });
  report.note(
    `${model.name}: ${certain.length} certain tokens, ${whole} bytes on the card at most`,
  );
  for (const share of shares) {
    const vramBudget = Math.floor(whole * share);
    const options = { ...common, hardware, gpu, vramBudget } as const;
    const name = `${model.name} at ${Math.round(100 * share)} %`;
    await proveBudget({ name, path, options, certain, tokens }, report);
  }
}

async function tokensOnCpu(
  path: string,
  options: EngineOptions,
  tokens: number,
): Promise<readonly number[]> {
  using engine = await Engine.open(path, { ...options, device: "cpu" });
  return await certainTokens(engine, { prompt, tokens });
}

interface Budgeted {
  readonly name: string;
  readonly path: string;
  readonly options: EngineOptions & { readonly vramBudget: number };
  /** What the processor writes. */
  readonly certain: readonly number[];
  readonly tokens: number;
}

async function proveBudget(budgeted: Budgeted, report: Report): Promise<void> {
  const { name, path, options, certain, tokens } = budgeted;
  const { vramBudget } = options;
  using engine = await Engine.open(path, { ...options, device: "hybrid" });
  const problem = tokenProblem(certain, await greedyTokens(engine, { prompt, tokens }));
  report.check(
    `${name}: the processor's tokens`,
    problem === undefined,
    problem ?? `${certain.length} tokens`,
  );
  const { gpu, hybrid } = await engine.report();
  const bytes = gpu?.bytes ?? 0;
  const isWithin = bytes <= vramBudget && bytes === (hybrid?.gpuBytes ?? 0);
  const split = hybrid?.synchronisationsPerToken ?? 0;
  report.check(
    `${name}: bytes`,
    isWithin,
    `${bytes} held, ${hybrid?.gpuBytes} planned, budget ${vramBudget}, ${split} synchronisations a token`,
  );
}

/** The paper's objective puts everything on a card that has room for it. */
async function wholeBytes(path: string, options: EngineOptions): Promise<number> {
  const { contextLength = 64, batchSize = 8, threads = 1, hardware, sparsity, gpu } = options;
  const { json } = await planPlacement(path, {
    contextLength,
    batchSize,
    threads,
    objective: "paper",
    vramBudget: 2 ** 30,
    ...(gpu !== undefined && { gpu }),
    ...(hardware !== undefined && { hardware }),
    ...(sparsity !== undefined && { sparsity }),
  });
  return numberIn(json, "gpu_bytes");
}

/** @throws OptionError where a plan lacks the field. */
export function numberIn(json: object, field: string): number {
  const value: unknown = Reflect.get(json, field);
  if (typeof value === "number") return value;
  throw new OptionError(field, String(value), "a number in the plan");
}

/** A described RTX 4090 whose link and splits cost next to nothing. */
function nearCard(folder: string): string {
  const card = describedCards.get("rtx-4090");
  if (card === undefined) throw new OptionError("hardware", "rtx-4090", "a described card");
  const link = { ...card.link, uploadLatencySeconds: 1e-9, downloadLatencySeconds: 1e-9 };
  const gpu = card.gpu && { ...card.gpu, dispatchSeconds: 0 };
  const path = join(folder, "near-card.json");
  writeFileSync(path, serialiseHardwareProfile({ ...card, gpu, link, splitLayerSeconds: 1e-9 }));
  return path;
}
