/** `hearth show`: what a repository of the hub offers to this machine. */
import type { Command } from "commander";
import { formatBytes, listRepository, type RepositoryListing } from "../index.ts";
import { print, printJson } from "./output.ts";
import { table } from "./table.ts";

const examples = `
Examples:
  $ hearth show qwen3:8b
  $ hearth show Qwen/Qwen3-8B-GGUF --json | jq '.models[].quant'`;

export function addShowCommand(program: Command): void {
  program
    .command("show")
    .description(
      "show the models of a repository on Hugging Face's hub, and which fits this machine",
    )
    .argument("<name>", "OWNER/NAME, an address of the hub, or a short name such as qwen3:8b")
    .option("--json", "print one JSON object")
    .addHelpText("after", examples)
    .action(show);
}

async function show(name: string, flags: { readonly json?: true }): Promise<void> {
  const listing = await listRepository(name);
  if (flags.json) printJson(asJson(listing));
  else print(asText(listing));
}

function asText({ models, ...listing }: RepositoryListing): string {
  const rows = models.map(({ quant, bytes, files, neededBytes, isHere, isChosen }) => [
    isChosen ? "*" : "",
    quant,
    formatBytes(bytes),
    formatBytes(neededBytes),
    neededBytes <= listing.memoryBytes ? "yes" : "no",
    isHere ? "yes" : "",
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
  const head = ["", "quant", "size", "memory", "fits", "here", "file"];
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
    models: models.map(({ quant, bytes, files, neededBytes, isHere, isChosen }) => ({
      quant,
      bytes,
      files,
      needed_bytes: neededBytes,
      here: isHere,
      chosen: isChosen,
    })),
  };
}
