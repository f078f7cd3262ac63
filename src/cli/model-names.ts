/** Models by name, on every command: what stands in a model's place is made a path before the command runs. */
import type { Command } from "commander";
import { OptionError, type ResolvedModel, resolveModel } from "../index.ts";
import { say } from "./output.ts";
import { modelArguments } from "./typed-arguments.ts";

/** @throws OptionError, UnsupportedError as resolveModel */
export function replaceModelNames(command: Command): void {
  const resolve = (word: string): string => pathOf(word, command);
  for (const [i, argument] of command.registeredArguments.entries()) {
    const value: unknown = command.processedArgs[i];
    if (!modelArguments.includes(argument.name())) continue;
    if (typeof value === "string") command.processedArgs[i] = resolve(value);
    if (Array.isArray(value)) command.processedArgs[i] = value.map(String).map(resolve);
  }
  const option: unknown = command.getOptionValue("model");
  if (typeof option === "string") command.setOptionValue("model", resolve(option));
}

function pathOf(word: string, command: Command): string {
  const { path, notice } = resolved(word, command);
  if (notice !== undefined && command.getOptionValue("quiet") !== true) say(notice);
  return path;
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
