/** `hearth rm`: take a pulled model out of the cache. */
import type { Command } from "commander";
import { formatBytes, removeModel } from "../index.ts";
import { print, printJson, say } from "./output.ts";

const examples = `
Examples:
  $ hearth rm Qwen/Qwen3-8B-GGUF:Q4_K_M
  $ hearth rm qwen3:8b --all                every quantisation, and what aborted pulls have left`;

export function addRmCommand(program: Command): void {
  program
    .command("rm")
    .description("remove a model that was fetched from Hugging Face's hub")
    .argument("<name>", "OWNER/NAME[:QUANT], or a short name such as qwen3:8b")
    .option("--all", "every model of the repository that is here")
    .option("--json", "print one JSON object")
    .addHelpText("after", examples)
    .action(remove);
}

function remove(name: string, flags: { readonly all?: true; readonly json?: true }): void {
  const removed = removeModel(name, { all: flags.all ?? false });
  const { repository, quants, freedBytes, sharedBytes } = removed;
  if (flags.json) {
    printJson({ repository, quants, freed_bytes: freedBytes, shared_bytes: sharedBytes });
    return;
  }
  print(`removed ${[repository, ...quants].join(" ")}: ${formatBytes(freedBytes)} freed`);
  if (sharedBytes === 0) return;
  say(
    `${formatBytes(sharedBytes)} are in the store that huggingface_hub shares among repositories: hf cache prune frees them`,
  );
}
