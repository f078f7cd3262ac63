/** How a failure reaches the user: one line on stderr and an exit code. */
import { type Command, CommanderError } from "commander";
import { visibleLines, visibleText } from "../core/visible-text.ts";
import { HearthError, OptionError } from "../index.ts";
import { ApiOption } from "./api-option.ts";
import { say } from "./output.ts";

/** failed: the command could not do it. usage: it was called wrongly. */
const exitCodes = { failed: 1, usage: 2 };

/**
 * A device's thread that is being ended must be gone before the process is: Node 20 aborts when it exits in the middle
 * of that. So the event loop is left to run dry, and what still holds it after this many milliseconds is cut off.
 */
const graceMilliseconds = 3000;

/** Ends the process with an exit code, as soon as nothing is left to do. `command`: the one that failed. */
export function reportError(error: unknown, command: Command): void {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : exitCodes.usage);
  const { text, exitCode } = describe(error, command);
  say(oneLine(text));
  const isExpected = error instanceof HearthError || isSystemError(error);
  if (!isExpected && error instanceof Error && process.env["HEARTH_DEBUG"]) {
    process.stderr.write(`${visibleLines(error.stack ?? "")}\n`);
  }
  process.exitCode = exitCode;
  setTimeout(() => process.exit(exitCode), graceMilliseconds).unref();
}

function describe(
  error: unknown,
  command: Command,
): { readonly text: string; readonly exitCode: number } {
  const text = textOf(error);
  if (!(error instanceof OptionError)) return { text, exitCode: exitCodes.failed };
  const typed = typedName(error.option, command);
  if (typed === undefined) return { text, exitCode: exitCodes.failed };
  return { text: `${typed}${text.slice(error.option.length)}`, exitCode: exitCodes.usage };
}

/** The flag or argument that the user gave it by; undefined for what came from elsewhere, as from a file. */
function typedName(option: string, { options, registeredArguments }: Command): string | undefined {
  // The command itself has judged this flag.
  if (option.startsWith("--")) return option;
  const [name = ""] = /^\w+/.exec(option) ?? [];
  // -m is only another way to give the argument of that name.
  const argument = registeredArguments.find((typed) => typed.name() === name);
  if (argument !== undefined) return argument.name();
  const flag = options.find((typed) =>
    typed instanceof ApiOption ? typed.isFor(name) : typed.attributeName() === name,
  );
  if (flag !== undefined) return flag.long ?? flag.short;
  // A command of another name for it has the model first.
  return ["path", "model"].includes(name) ? registeredArguments[0]?.name() : undefined;
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && "path" in error
    ? systemText(error.code, error.path, error)
    : error.message;
}

/** Characters of a complaint of commander, which lists all choices. */
const maxUsage = 1000;

/** What a person wants to know of a system call that failed on a file. */
function systemText(code: unknown, path: unknown, error: Error): string {
  if (code === "ENOENT") return `${path}: no such file or folder`;
  if (code === "EISDIR") return `${path}: is a folder`;
  if (code === "EACCES") return `${path}: no permission`;
  return error.message;
}

/** Commander's own messages, in the form of ours. */
export function usageLine(text: string, command: string): string {
  const message = visibleText(oneLine(text.replace(/^error: /, "")), maxUsage).replace(/\.$/, "");
  const help = command === "hearth" ? "hearth --help" : `hearth ${command} --help`;
  return `hearth: ${message} (see ${help})\n`;
}

/** A reader that has seen enough, as in `hearth run | head`, is no failure; a full disk is one. */
export function watchOutput(): void {
  process.stdout.on("error", (error: Error) => {
    if ("code" in error && error.code === "EPIPE") process.exit(0);
    process.stderr.write(`hearth: ${visibleText(oneLine(error.message))}\n`, () =>
      process.exit(exitCodes.failed),
    );
  });
  // An error about stderr would have no reader.
  process.stderr.on("error", () => {});
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, " ");
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && "code" in error && "syscall" in error;
}
