/** `hearth pull`: bring a model of the hub here. */
import type { Command } from "commander";
import { formatBytes, type PulledModel, type PullPlan, pullModel } from "../index.ts";
import { createDownloadBar } from "./download-bar.ts";
import { untilInterrupted } from "./interrupt.ts";
import { positiveNumber } from "./option-values.ts";
import { print, printJson, say } from "./output.ts";
import { addQuietOption, type VoiceFlags } from "./voice.ts";

interface PullFlags extends VoiceFlags {
  readonly json?: true;
  readonly connections?: number;
}

const examples = `
Examples:
  $ hearth pull qwen3:8b                         a short name; the quantisation that fits this machine
  $ hearth pull Qwen/Qwen3-8B-GGUF:Q5_K_M        any repository with GGUF files, a quantisation of your choice
  $ hearth chat -m hf:Qwen/Qwen3-8B-GGUF         every command pulls a model that is not here yet

The cache is that of Python's huggingface_hub. Environment: HF_TOKEN, HF_HOME, HF_HUB_CACHE, HF_ENDPOINT,
HF_HUB_OFFLINE, HTTPS_PROXY, NO_PROXY.`;

export function addPullCommand(program: Command): void {
  const command = program
    .command("pull")
    .description("fetch a model from Hugging Face's hub")
    .argument(
      "<name>",
      "OWNER/NAME[:QUANT], an address of the hub, or a short name such as qwen3:8b",
    )
    .option("--connections <n>", "requests at the same time (default: 8)", positiveNumber)
    .option("--json", "print one JSON object instead of the path")
    .addHelpText("after", examples);
  addQuietOption(command).action(runPull);
}

async function runPull(name: string, flags: PullFlags): Promise<void> {
  const model = await untilInterrupted((signal) => showPull(name, flags, signal));
  if (model === undefined) return;
  if (flags.json) printJson(asJson(model));
  else print(model.path);
  if (flags.json || flags.quiet) return;
  say(`hearth chat -m hf:${model.repository}:${model.quant} talks with it`);
}

/** Says what it does, and shows how far it is. `ifMissing`: nothing is said or asked where the model is here. */
export async function showPull(
  name: string,
  flags: PullFlags & { readonly ifMissing?: boolean },
  signal?: AbortSignal,
): Promise<PulledModel> {
  const bar = createDownloadBar(flags);
  try {
    return await pullModel(name, {
      ifMissing: flags.ifMissing ?? false,
      ...(flags.connections !== undefined && { connections: flags.connections }),
      ...(signal !== undefined && { signal }),
      onPlan: (plan) => {
        if (!flags.quiet) say(describePlan(plan));
      },
      onProgress: ({ done, total }) => bar.update(done, total),
      onNotice: (notice) => {
        bar.stop();
        say(notice);
      },
    });
  } finally {
    bar.stop();
  }
}

function describePlan({ repository, bytes, missingBytes, licence, reason }: PullPlan): string {
  const from = `${repository}, licence ${licence ?? "not stated"}`;
  if (missingBytes === 0) return `${from}; ${reason}; it is here already`;
  const resumed = bytes - missingBytes;
  const rest = resumed > 0 ? `, ${formatBytes(resumed)} of it here already` : "";
  return `pulling ${formatBytes(bytes)}${rest} from ${from}; ${reason}`;
}

function asJson({
  path,
  repository,
  revision,
  quant,
  bytes,
  licence,
  reason,
}: PulledModel): object {
  return { path, repository, revision, quant, bytes, licence, reason };
}
