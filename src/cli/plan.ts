/** `hearth plan`: which neurons would be on the graphics card within a budget, and what that would bring. */
import { type Command, Option } from "commander";
import {
  OptionError,
  type PlacementOptions,
  planPlacement,
  type Sparsity,
  sparsities,
} from "../index.ts";
import { objectiveOption } from "./model-options.ts";
import { byteSize, wholeNumber } from "./option-values.ts";
import { print, printJson, say } from "./output.ts";
import { checkOutputFile, writeOutput } from "./output-file.ts";

interface PlanFlags {
  readonly vramBudget?: number;
  readonly context?: number;
  readonly batch?: number;
  readonly threads?: number;
  readonly gpu?: string;
  readonly hardware?: string;
  readonly profile?: string;
  readonly sparsity: Sparsity;
  readonly cacheType: "f16" | "f32";
  readonly objective: "latency" | "paper";
  readonly solver: "exact" | "highs";
  readonly refresh?: true;
  readonly json?: true;
  readonly plot?: string;
}

const examples = `
Examples:
  $ hearth plan model.gguf --vram-budget 8GiB
  $ hearth plan model.gguf --vram-budget 11GiB --hardware rtx-2080ti --plot plan.svg
  $ hearth plan model.gguf --vram-budget 4GiB --json | jq .layers`;

/** Budgets of the plotted curve: enough for a smooth line. */
const curvePoints = 33;

export function addPlanCommand(program: Command): void {
  program
    .command("plan")
    .description("place a model's neurons on graphics card and processor")
    .argument("<model>", "a GGUF model")
    .option("--vram-budget <size>", "most memory to take of the card (default: all)", byteSize)
    .option("-c, --context <tokens>", "tokens of prompt and answer together", wholeNumber)
    .option("--batch <tokens>", "tokens of a prompt read at once", wholeNumber)
    .option("--threads <n>", "threads (default: physical cores)", wholeNumber)
    .option("--gpu <n|name>", "which graphics adapter (hearth doctor lists them)")
    .option(
      "--hardware <file|card>",
      "plan for this machine: a profile of hearth doctor --measure, or a described card",
    )
    .option(
      "--profile <file>",
      "the sidecar with the activation profile (default: beside the model)",
    )
    .addOption(
      new Option("--sparsity <method>", "which neurons are computed")
        .choices([...sparsities])
        .default("auto"),
    )
    .addOption(
      new Option("--cache-type <type>", "precision of the KV cache")
        .choices(["f16", "f32"])
        .default("f16"),
    )
    .addOption(objectiveOption())
    .addOption(
      new Option("--solver <name>", "dynamic programming, or the paper's integer program")
        .choices(["exact", "highs"])
        .default("exact"),
    )
    .option("--refresh", "add what run --learn counted to the profile, and plan again")
    .option("--json", "print one JSON object")
    .option("--plot <file>", "draw the placement and its curve as SVG")
    .addHelpText("after", examples)
    .action(plan);
}

async function plan(model: string, flags: PlanFlags): Promise<void> {
  if (flags.solver === "highs" && flags.objective !== "paper") {
    const expected = "exact for the objective latency; highs solves --objective paper";
    throw new OptionError("--solver", "highs", expected);
  }
  checkOutputFile(flags.plot, "--plot");
  const result = await planPlacement(model, planOptions(flags));
  if (flags.refresh) say(refreshed(result.learntTokens));
  if (flags.json) printJson(result.json);
  else print(result.text.trimEnd());
  if (flags.plot !== undefined) await writeOutput(flags.plot, result.plot());
}

function refreshed(tokens: number): string {
  if (tokens > 0) return `the profile grew by ${tokens} tokens of answers`;
  return "nothing new was learnt; hearth run --learn counts the neurons that answers use";
}

function planOptions(flags: PlanFlags): PlacementOptions {
  const { vramBudget, context, batch, threads, gpu, hardware, profile } = flags;
  return {
    sparsity: flags.sparsity,
    cacheType: flags.cacheType,
    objective: flags.objective,
    solver: flags.solver,
    ...(vramBudget !== undefined && { vramBudget }),
    ...(context !== undefined && { contextLength: context }),
    ...(batch !== undefined && { batchSize: batch }),
    ...(threads !== undefined && { threads }),
    ...(gpu !== undefined && { gpu }),
    ...(hardware !== undefined && { hardware }),
    ...(profile !== undefined && { sidecar: profile }),
    ...(flags.plot !== undefined && { curvePoints }),
    ...(flags.refresh && { refresh: true }),
  };
}
