/**
 * What was typed, in the form that the commands read: a model may come as -m or as a bare path with every command, and
 * flags that llama.cpp's users know by heart are understood or answered with ours.
 */
import { existsSync } from "node:fs";
import type { Command, Option } from "commander";
import { aliases, hints } from "./llama-flags.ts";

/** First arguments that are models, and may be given with -m instead. */
export const modelArguments: readonly string[] = ["model", "models", "input"];

/** By command: further names of a flag, so that it is one flag in every help and no script breaks. */
const otherNames: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  profile: { "-o": "--sidecar", "--output": "--sidecar" },
  plan: { "--profile": "--sidecar" },
};

function modelArgument({ registeredArguments: [first] }: Command): string | undefined {
  return first !== undefined && modelArguments.includes(first.name()) ? first.name() : undefined;
}

/** For the help of every command: what is typed arrives as an argument. */
export function addModelFlag(command: Command): void {
  const argument = modelArgument(command);
  if (argument === undefined) return;
  command.option("-m, --model <file>", `the same as the argument ${argument} (default: none)`);
}

interface Typed {
  /** With their values. */
  readonly flags: string[];
  readonly models: string[];
  readonly positionals: string[];
}

/** `words`: without program and script. @throws CommanderError for a flag of llama.cpp that has a hint. */
export function readableArguments(words: readonly string[], program: Command): readonly string[] {
  const [name, ...rest] = words;
  const command = program.commands.find((one) => one.name() === name);
  if (name === undefined || command === undefined) return words;
  const { flags, models, positionals } = split(rest, command);
  if (modelArgument(command) !== undefined)
    return [name, ...joined(flags, [...models, ...positionals])];
  const [first] = positionals;
  const isFirstModel =
    models.length === 0 &&
    first !== undefined &&
    takesModel(command) &&
    (isModelPath(first) || nameForm.test(first) || positionals.length > texts(command));
  const given = (isFirstModel ? [first] : models).flatMap((model) => ["-m", model]);
  return [name, ...joined([...given, ...flags], isFirstModel ? positionals.slice(1) : positionals)];
}

/** Positionals come first, since some flags take as many words as follow; behind two dashes, where one looks like a flag. */
function joined(flags: readonly string[], positionals: readonly string[]): readonly string[] {
  const looksLikeFlag = positionals.some((word) => word.startsWith("-") && word !== "-");
  return looksLikeFlag ? [...flags, "--", ...positionals] : [...positionals, ...flags];
}

function split(words: readonly string[], command: Command): Typed {
  const typed: Typed = { flags: [], models: [], positionals: [] };
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (word === "--") {
      typed.positionals.push(...words.slice(i + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      typed.positionals.push(word);
      continue;
    }
    const flag = ownFlag(word, command);
    const option = optionOf(flag, command);
    const values =
      option === undefined || flag.includes("=") ? 0 : valueCount(option, words, i + 1);
    const parts = [flag, ...words.slice(i + 1, i + 1 + values)];
    i += values;
    if (option?.long !== "--model") typed.flags.push(...parts);
    else if (flag.includes("=")) typed.models.push(flag.slice(flag.indexOf("=") + 1));
    // Without its value it is left to commander, which says so.
    else if (values === 0) typed.flags.push(flag);
    else typed.models.push(...parts.slice(1));
  }
  return typed;
}

/** Ours for llama.cpp's, where the command has it; the word itself otherwise. */
function ownFlag(word: string, command: Command): string {
  const [flag = "", ...value] = word.split("=");
  if (optionOf(flag, command) !== undefined) return word;
  const alias = otherNames[command.name()]?.[flag] ?? aliases[flag];
  if (alias !== undefined && optionOf(alias, command) !== undefined) {
    return [alias, ...value].join("=");
  }
  const hint = hints[flag];
  if (hint !== undefined) command.error(`${flag} is a flag of llama.cpp; ${hint}`);
  return word;
}

function optionOf(word: string, { options }: Command): Option | undefined {
  const [flag] = word.split("=");
  return options.find(({ short, long }) => flag === short || flag === long);
}

function valueCount(option: Option, words: readonly string[], from: number): number {
  if (!(option.required || option.optional)) return 0;
  if (option.optional && words[from]?.startsWith("-")) return 0;
  if (!option.variadic) return from < words.length ? 1 : 0;
  const end = words.findIndex((word, i) => i > from && word.startsWith("-"));
  return (end < 0 ? words.length : end) - from;
}

function takesModel(command: Command): boolean {
  return optionOf("--model", command) !== undefined;
}

/** "llama3.2:1b", "ollama:llama3.2:1b", "lmstudio:publisher/model/file": a word with a colon, and no address. */
const nameForm = /^[a-z][\w.-]*(\/[\w.@+-]+)*:[\w.-]+([/:][\w.@+-]+)*$/i;

/** Arguments that a command takes besides a model: of one more, the first is the model. */
function texts({ registeredArguments }: Command): number {
  return registeredArguments.length;
}

/** Not a text that ends by chance as the names of models do. */
function isModelPath(word: string): boolean {
  return (
    /\.gguf$|^https?:\/\/(huggingface\.co|hf\.co)\//i.test(word) &&
    (!/\s/.test(word) || existsSync(word))
  );
}
