/** `hearth profile`: which neurons of a model fire, or which experts are chosen, over texts of your own. */

import type { Command } from "commander";
import { counted } from "../core/counted.ts";
import { percent } from "../core/numbers.ts";
import { visibleJson, visibleText } from "../core/visible-text.ts";
import {
  type ExpertProfile,
  inspectModel,
  neuronShareFor,
  OptionError,
  type ProfileOptions,
  type ProfileSummary,
  profileExperts,
  profileImportance,
  profileModel,
} from "../index.ts";
import { ApiOption, addApiOptions, givenOptions } from "./api-option.ts";
import { interruptedExitCode, sayStopped, untilInterrupted } from "./interrupt.ts";
import { corporaOption, hostDeviceOption, windowOption } from "./learning-options.ts";
import { threadsOption } from "./model-options.ts";
import { wholeNumber } from "./option-values.ts";
import { print } from "./output.ts";
import { checkOutputFile, writeOutput } from "./output-file.ts";
import { checkExpertFlags, showExperts } from "./profile-experts.ts";
import { createBar } from "./progress.ts";
import { table } from "./table.ts";
import { addQuietOption, showRemarks, type VoiceFlags } from "./voice.ts";

interface ProfileFlags extends VoiceFlags, Partial<ProfileOptions> {
  readonly plot?: string;
  readonly imatrix?: string;
  readonly json?: true;
}

const profileOptions = (): readonly ApiOption<keyof ProfileOptions>[] => [
  corporaOption("texts to read; repeatable (default: none)"),
  new ApiOption("tokens", "--tokens <n>", "tokens of each corpus (default: 100000)").argParser(
    wholeNumber,
  ),
  windowOption(),
  new ApiOption("sidecar", "--sidecar <file>", "where to keep it (default: MODEL.sparsity.gguf)"),
  hostDeviceOption(),
  threadsOption(),
];

const examples = `
Corpora are text files, or JSONL and CSV files with a field text, prompt or content. What is counted is kept in the
sidecar: Ctrl-C stops, the same command goes on, other corpora add up.

Examples:
  $ hearth profile model.gguf --corpus books.txt --tokens 200000
  $ hearth profile model.gguf --corpus prompts.csv --corpus chats.jsonl
  $ hearth profile model.gguf --plot curves.svg          what was counted before, as a picture
  $ hearth profile model.gguf --corpus books.txt --imatrix model.imatrix.gguf

Of a mixture of experts it counts which of them the routers choose; the sidecar keeps the last run's counts.
  $ hearth profile mixture.gguf --corpus books.txt --tokens 5000 --plot experts.svg`;

/** The share of activations that the power law is read at (PowerInfer, Figure 5). */
const readAt = 0.8;

export function addProfileCommand(program: Command): void {
  const command = program
    .command("profile")
    .description("count which neurons of a model fire, or which experts are chosen")
    .argument("<model>", "a GGUF file");
  addApiOptions(command, profileOptions())
    .option("--plot <svg>", "draw the cumulative activation curves (default: none)")
    .option(
      "--imatrix <file>",
      "make an importance matrix for hearth quantize, and nothing else (default: none)",
    )
    .option("--json", "print one JSON object")
    .addHelpText("after", examples);
  addQuietOption(command).action(profile);
}

async function profile(model: string, flags: ProfileFlags): Promise<void> {
  if (flags.imatrix !== undefined) return makeImportance(model, flags.imatrix, flags);
  if (inspectModel(model).experts === undefined) return profileNeurons(model, flags);
  checkExpertFlags(flags);
  checkOutputFile(flags.plot, "--plot");
  checkOutputFile(flags.sidecar, "--sidecar");
  const summary = await untilInterrupted((signal) => countExperts(model, signal, flags));
  if (summary === undefined) return;
  showRemarks(summary, flags);
  await showExperts(summary, flags);
  if (!summary.isComplete) process.exitCode = interruptedExitCode;
}

async function makeImportance(model: string, output: string, flags: ProfileFlags): Promise<void> {
  for (const option of ["plot", "sidecar"] as const) {
    if (flags[option] === undefined) continue;
    throw new OptionError(`--${option}`, "--imatrix", "one of the two: both read the texts anew");
  }
  checkOutputFile(output, "--imatrix");
  const { corpora = [], ...others } = givenOptions(flags, profileOptions());
  const bar = createBar("reading", "tokens", flags);
  const summary = await untilInterrupted((signal) =>
    profileImportance(model, {
      ...others,
      corpora,
      output,
      signal,
      onTokens: (done, total) => bar.update(done, total),
    }).finally(() => bar.stop()),
  );
  if (summary === undefined) return;
  showRemarks(summary, flags);
  const { tokens, matrices, isComplete: complete } = summary;
  print(
    flags.json
      ? visibleJson({ output, tokens, matrices, complete })
      : `${counted(tokens, "token")}, ${counted(matrices, "matrix", "matrices")}: kept in ${visibleText(output)}`,
  );
  if (!complete) process.exitCode = interruptedExitCode;
}

async function profileNeurons(model: string, flags: ProfileFlags): Promise<void> {
  const { corpora = [], plot } = flags;
  if (corpora.length === 0 && plot === undefined && !flags.json) {
    throw new OptionError("--corpus", "nothing", "a text to read, or --plot for what was counted");
  }
  checkOutputFile(plot, "--plot");
  checkOutputFile(flags.sidecar, "--sidecar");
  const summary = await untilInterrupted((signal) => count(model, { corpora, signal }, flags));
  if (summary === undefined) return;
  showRemarks(summary, flags);
  if (plot !== undefined) await writeOutput(plot, summary.plot());
  print(flags.json ? visibleJson(asJson(summary)) : asText(summary));
  if (!summary.isComplete) sayStopped();
}

async function countExperts(
  model: string,
  signal: AbortSignal,
  flags: ProfileFlags,
): Promise<ExpertProfile> {
  const bar = createBar("profiling", "tokens", flags);
  try {
    return await profileExperts(model, {
      ...givenOptions(flags, profileOptions()),
      corpora: flags.corpora ?? [],
      signal,
      onTokens: (done, total) => bar.update(done, total),
    });
  } finally {
    bar.stop();
  }
}

async function count(
  model: string,
  { corpora, signal }: { readonly corpora: readonly string[]; readonly signal: AbortSignal },
  flags: ProfileFlags,
): Promise<ProfileSummary> {
  const bar = createBar("profiling", "tokens", flags);
  try {
    return await profileModel(model, {
      ...givenOptions(flags, profileOptions()),
      corpora,
      signal,
      onTokens: (done, total) => bar.update(done, total),
    });
  } finally {
    bar.stop();
  }
}

function asJson(summary: ProfileSummary): object {
  const { curves, activeSharePerLayer } = summary;
  return {
    sidecar: summary.sidecar,
    tokens: summary.tokens,
    complete: summary.isComplete,
    rule: summary.rule,
    corpora: summary.corpora.map(({ name, hash, tokens, isComplete }) => ({
      name,
      sha256: hash,
      tokens,
      complete: isComplete,
    })),
    active_share: summary.activeShare,
    active_share_per_layer: activeSharePerLayer,
    neurons_for_80_percent_per_layer: curves
      .slice(0, -1)
      .map((curve) => neuronShareFor(curve, readAt)),
    neurons_for_80_percent: curves.slice(-1).map((curve) => neuronShareFor(curve, readAt))[0],
  };
}

function asText(summary: ProfileSummary): string {
  const { curves, activeSharePerLayer, corpora } = summary;
  const rows = curves.map((curve, i) => [
    curve.name,
    percent(activeSharePerLayer[i] ?? summary.activeShare, 1),
    percent(neuronShareFor(curve, readAt), 1),
  ]);
  const texts = corpora.map(({ name, tokens }) => `${visibleText(name)} (${tokens})`).join(", ");
  return [
    `${counted(summary.tokens, "token")} of ${texts}; a neuron is ${summary.rule}`,
    table([["", "active", `neurons that make ${percent(readAt, 1)} of activations`], ...rows]),
    `kept in ${visibleText(summary.sidecar)}`,
  ].join("\n");
}
