/** `hearth plan`: which neurons would be on the graphics card within a budget, and what that would bring. */

import type { Command } from "commander";
import { counted } from "../core/counted.ts";
import { OptionError, type PlacementOptions, planPlacement, solvers } from "../index.ts";
import { ApiOption, addApiOptions, givenOptions } from "./api-option.ts";
import {
  cacheTypeOption,
  checkpointsOption,
  contextOption,
  gpuOption,
  hardwareOption,
  objectiveOption,
  sparsityOption,
  threadsOption,
} from "./model-options.ts";
import { byteSize } from "./option-values.ts";
import { print, printJson, say } from "./output.ts";
import { checkOutputFile, writeOutput } from "./output-file.ts";
import { planHtml } from "./plan-html.ts";
import { createBar } from "./progress.ts";
import { batchOption, promptStreamOption } from "./prompt-options.ts";

interface PlanFlags extends PlacementOptions {
  readonly json?: true;
  readonly plot?: string;
  readonly html?: string;
}

const placementOptions = (): readonly ApiOption<keyof PlacementOptions>[] => [
  new ApiOption(
    "vramBudget",
    "--vram-budget <size>",
    "most memory to take of the card (default: nine tenths of it)",
  ).argParser(byteSize),
  contextOption(),
  batchOption(),
  threadsOption(),
  gpuOption(),
  hardwareOption(),
  new ApiOption(
    "sidecar",
    "--sidecar <file>",
    "what hearth profile learnt (default: MODEL.sparsity.gguf)",
  ),
  sparsityOption(),
  cacheTypeOption(),
  checkpointsOption(),
  objectiveOption(),
  promptStreamOption(),
  new ApiOption("solver", "--solver <name>", "dynamic programming, or the paper's integer program")
    .choices([...solvers])
    .default("exact"),
  new ApiOption(
    "refresh",
    "--refresh",
    "add what run --learn counted to the profile, and plan again",
  ),
  new ApiOption(
    "stats",
    "--stats <text>",
    "read a text, and say how often the experts it uses would be on the card (default: none)",
  ),
];

const examples = `
Examples:
  $ hearth plan model.gguf --vram-budget 8GiB
  $ hearth plan model.gguf --vram-budget 11GiB --hardware rtx-2080ti --plot plan.svg
  $ hearth plan model.gguf --vram-budget 4GiB --json | jq .layers
  $ hearth plan model.gguf --html plan.html`;

/** Budgets of the plotted curve: enough for a smooth line. */
const curvePoints = 33;

export function addPlanCommand(program: Command): void {
  const command = program
    .command("plan")
    .description("place a model's neurons or experts on graphics card and processor")
    .argument("<model>", "a GGUF model");
  addApiOptions(command, placementOptions())
    .option("--json", "print one JSON object")
    .option("--plot <file>", "draw the placement and its curve as SVG (default: none)")
    .option("--html <file>", "plan for many budgets, contexts and cards, as a page (default: none)")
    .addHelpText("after", examples)
    .action(plan);
}

async function plan(model: string, flags: PlanFlags): Promise<void> {
  if (flags.solver === "highs" && flags.objective !== "paper") {
    const expected = "exact for the objective latency; highs solves --objective paper";
    throw new OptionError("--solver", "highs", expected);
  }
  checkOutputFile(flags.plot, "--plot");
  checkOutputFile(flags.html, "--html");
  if (flags.html !== undefined) await writeHtml(model, flags.html, flags);
  // The page has all that there is to say, of a machine without a card too.
  if (flags.html !== undefined && !flags.json && flags.plot === undefined) return;
  const result = await planPlacement(model, planOptions(flags));
  if (flags.refresh) say(refreshed(result.learntTokens));
  if (flags.json) printJson(result.json);
  else print(result.text.trimEnd());
  if (flags.plot !== undefined) await writeOutput(flags.plot, result.plot());
}

async function writeHtml(model: string, file: string, flags: PlanFlags): Promise<void> {
  if (flags.refresh) throw new OptionError("--refresh", "given beside --html", "one of them");
  const { solver, refresh: _, curvePoints: __, ...options } = planOptions(flags);
  if (solver === "highs")
    throw new OptionError("--solver", "highs beside --html", "exact, which plans many budgets");
  const bar = createBar("planning", "plans");
  try {
    const onProgress = (done: number, total: number): void => bar.update(done, total);
    await writeOutput(file, await planHtml({ model, options, onProgress }));
  } finally {
    bar.stop();
  }
}

function refreshed(tokens: number): string {
  if (tokens > 0) return `the profile grew by ${counted(tokens, "token")} of answers`;
  return "nothing new was learnt; hearth run --learn counts the neurons that answers use";
}

function planOptions(flags: PlanFlags): PlacementOptions {
  const given = givenOptions(flags, placementOptions());
  return flags.plot === undefined ? given : { ...given, curvePoints };
}
