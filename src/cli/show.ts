/** `hearth show`: what a repository of the hub offers to this machine. */
import type { Command } from "commander";
import { formatBytes, listRepository, type RepositoryListing } from "../index.ts";
import { print, printJson } from "./output.ts";
import { predictionJson, speedText } from "./prediction-text.ts";
import { createBar } from "./progress.ts";
import { table } from "./table.ts";

const examples = `
Examples:
  $ hearth show qwen3:8b
  $ hearth show qwen3:8b --predict                   how fast each would run here, before one is fetched
  $ hearth show Qwen/Qwen3-8B-GGUF --json | jq '.models[].quant'`;

export function addShowCommand(program: Command): void {
  program
    .command("show")
    .description(
      "show the models of a repository on Hugging Face's hub, and which fits this machine",
    )
    .argument("<name>", "OWNER/NAME, an address of the hub, or a short name such as qwen3:8b")
    .option("--json", "print one JSON object")
    .option("--predict", "read each model's header and say how fast it will run here")
    .addHelpText("after", examples)
    .action(show);
}

interface ShowFlags {
  readonly json?: true;
  readonly predict?: true;
}

async function show(name: string, flags: ShowFlags): Promise<void> {
  const bar = createBar("reading headers", "models");
  let listing: RepositoryListing;
  try {
    const onProgress = (done: number, total: number): void => bar.update(done, total);
    listing = await listRepository(name, { predict: flags.predict ?? false, onProgress });
  } finally {
    bar.stop();
  }
  if (flags.json) printJson(asJson(listing));
  else print(asText(listing));
}

function asText({ models, ...listing }: RepositoryListing): string {
  const isPredicted = models.some(({ predicted }) => predicted !== undefined);
  const rows = models.map(({ quant, bytes, files, neededBytes, isHere, isChosen, predicted }) => [
    isChosen ? "*" : "",
    quant,
    formatBytes(bytes),
    formatBytes(neededBytes),
    neededBytes <= listing.memoryBytes ? "yes" : "no",
    isHere ? "yes" : "",
    ...(isPredicted ? [predicted === undefined ? "" : speedText(predicted)] : []),
    files.length > 1 ? `${files.length} parts` : (files[0] ?? ""),
  ]);
  const facts = [
    ["repository", listing.repository],
    ["revision", listing.revision],
    ["licence", listing.licence ?? "not stated"],
    ["gated", listing.isGated ? "yes: its terms must be accepted on its page" : "no"],
    ["memory", formatBytes(listing.memoryBytes)],
    ["choice", listing.choice],
  ];
  const speed = isPredicted ? ["predicted"] : [];
  const head = ["", "quant", "size", "memory", "fits", "here", ...speed, "file"];
  return `${table(facts)}\n\n${table([head, ...rows])}`;
}

function asJson({
  repository,
  revision,
  licence,
  isGated,
  models,
  choice,
  memoryBytes,
}: RepositoryListing): object {
  return {
    repository,
    revision,
    licence,
    gated: isGated,
    choice,
    memory_bytes: memoryBytes,
    models: models.map(({ quant, bytes, files, neededBytes, isHere, isChosen, predicted }) => ({
      quant,
      bytes,
      files,
      needed_bytes: neededBytes,
      here: isHere,
      chosen: isChosen,
      ...(predicted && {
        predicted: predictionJson(predicted.prediction),
        reason: predicted.reason ?? null,
      }),
    })),
  };
}
