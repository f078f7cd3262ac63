/**
 * Models by name, on every command: what stands in a model's place is made a path before the command runs. One that is not here
 * and that the hub has under a name that only it uses (`hf:OWNER/NAME:QUANT`, a short name such as `qwen3:8b`) is pulled.
 */
import type { Command } from "commander";
import { namesHubModel, OptionError, type ResolvedModel, resolveModel } from "../index.ts";
import { untilInterrupted } from "./interrupt.ts";
import { say } from "./output.ts";
import { showPull } from "./pull.ts";
import { modelArguments } from "./typed-arguments.ts";

/** @throws OptionError, UnsupportedError as resolveModel; HubError and others as pullModel */
export async function replaceModelNames(command: Command): Promise<void> {
  for (const [i, argument] of command.registeredArguments.entries()) {
    const value: unknown = command.processedArgs[i];
    if (!modelArguments.includes(argument.name())) continue;
    if (typeof value === "string") command.processedArgs[i] = await pathOf(value, command);
    if (Array.isArray(value)) command.processedArgs[i] = await pathsOf(value.map(String), command);
  }
  const option: unknown = command.getOptionValue("model");
  if (typeof option === "string") command.setOptionValue("model", await pathOf(option, command));
}

/** One after the other: each may be a download with a bar. */
async function pathsOf(words: readonly string[], command: Command): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const word of words) paths.push(await pathOf(word, command));
  return paths;
}

async function pathOf(word: string, command: Command): Promise<string> {
  if (namesHubModel(word)) {
    return await pulledPath(word, command);
  }
  const { path, notice } = resolved(word, command);
  if (notice !== undefined && command.getOptionValue("quiet") !== true) say(notice);
  return path;
}

/** Ctrl-C stops the pull and the command that it was for. */
async function pulledPath(word: string, command: Command): Promise<string> {
  const isQuiet = command.getOptionValue("quiet") === true;
  const flags = { ifMissing: true, ...(isQuiet && { quiet: true as const }) };
  const pulled = await untilInterrupted((signal) => showPull(word, flags, signal));
  return pulled?.path ?? process.exit();
}

function resolved(word: string, command: Command): ResolvedModel {
  try {
    return resolveModel(word);
  } catch (error) {
    const takesPrompt = command.options.some(({ long }) => long === "--prompt");
    if (!(error instanceof OptionError) || !takesPrompt) throw error;
    const hint = `${error.message} (a text like that is given with --prompt)`;
    throw new OptionError("model", word, "a model", hint);
  }
}
