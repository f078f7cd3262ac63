/** `hearth list`: the models that are on this machine already. */
import type { Command } from "commander";
import { formatBytes, type ListedModel, listModels, type ModelList } from "../index.ts";
import { print, printJson, say } from "./output.ts";
import { createBar } from "./progress.ts";
import { table } from "./table.ts";

interface ListFlags {
  readonly json?: true;
  readonly paths?: true;
}

const examples = `
Where it looks: the caches of Hugging Face (or HF_HOME) and llama.cpp (or LLAMA_CACHE), the folders of Ollama (or OLLAMA_MODELS) and LM Studio.
Every command takes these names, whole, or short where only one model has it:
  $ hearth run ollama:llama3.2:1b "Once upon a time"
  $ hearth chat llama3.2:1b

Examples:
  $ hearth list
  $ hearth list --json | jq -r '.models[] | select(.runs) | .id'`;

export function addListCommand(program: Command): void {
  program
    .command("list")
    .description("list the models on this machine, also those of other programs")
    .option("--json", "print one JSON object")
    .option("--paths", "show the file of each model")
    .addHelpText("after", examples)
    .action(list);
}

async function list(flags: ListFlags): Promise<void> {
  const bar = createBar("reading headers", "models");
  let found: ModelList;
  try {
    found = await listModels({ onProgress: (done, total) => bar.update(done, total) });
  } finally {
    bar.stop();
  }
  if (flags.json) {
    printJson({ models: found.models.map(asJson), notices: found.notices });
    return;
  }
  print(asText(found.models, flags));
  for (const notice of found.notices) say(notice);
}

function asJson({ id, name, origin, path, header, runs, reason }: ListedModel): object {
  return {
    id,
    name,
    origin,
    path,
    architecture: header?.architecture ?? null,
    type: header?.type ?? null,
    parameters: header?.parameters ?? null,
    bytes: header?.bytes ?? null,
    runs,
    reason: reason ?? null,
  };
}

function asText(models: readonly ListedModel[], { paths }: ListFlags): string {
  const rows = models.map(({ id, header, runs, reason, path }) => [
    id,
    header === undefined ? "" : parametersText(header.parameters),
    header?.type ?? "",
    header === undefined ? "" : formatBytes(header.bytes),
    ...(paths ? [path] : []),
    runs ? "yes" : `no: ${reason}`,
  ]);
  const headings = ["model", "parameters", "type", "size", ...(paths ? ["file"] : []), "runs"];
  return table([headings, ...rows]);
}

/** "134.5 M", "7.6 B" */
function parametersText(parameters: number): string {
  return parameters < 1e9
    ? `${(parameters / 1e6).toFixed(1)} M`
    : `${(parameters / 1e9).toFixed(1)} B`;
}
