/** Runs a declared command for a model's call: no shell, the arguments as JSON on stdin, bounded in time and text. */
import { spawn } from "node:child_process";
import { isPlainObject } from "../core/check-options.ts";
import type { Bytes } from "../core/units.ts";
import type { DeclaredTool } from "./tool-file.ts";

/** A person waits for it. */
const timeoutMilliseconds = 60_000;
/** Some 16 thousand tokens: more than most contexts have left. */
const maxOutput: Bytes = 64 * 1024;

/** What is to be run: the placeholders of the command filled in. */
export function commandLine({ command }: DeclaredTool, args: string): readonly string[] {
  const values: unknown = JSON.parse(args);
  return command.map((part, index) => {
    const [, name] = /^\{(\w+)\}$/.exec(part) ?? [];
    // The program itself is never the model's choice.
    if (index === 0 || name === undefined || !isPlainObject(values)) return part;
    const value = Object.hasOwn(values, name) ? values[name] : "";
    return typeof value === "string" ? value : JSON.stringify(value);
  });
}

/** The text that the model is given: what the program wrote, or what went wrong. */
export function runCommand(line: readonly string[], args: string): Promise<string> {
  const [program = "", ...others] = line;
  return new Promise((resolve) => {
    const child = spawn(program, others, {
      shell: false,
      stdio: ["pipe", "pipe", "pipe"],
      timeout: timeoutMilliseconds,
      killSignal: "SIGKILL",
    });
    const pieces: Buffer[] = [];
    let length = 0;
    const take = (piece: Buffer): void => {
      if (length < maxOutput) pieces.push(piece.subarray(0, maxOutput - length));
      length += piece.length;
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    // A program that does not read its input closes it.
    child.stdin.on("error", () => undefined);
    child.stdin.end(args);
    child.on("error", (error) => resolve(`error: ${program} cannot be run (${error.message})`));
    child.on("close", (code, signal) => {
      const text = Buffer.concat(pieces).toString("utf8");
      const cut = length > maxOutput ? `\n… (${length - maxOutput} more bytes)` : "";
      if (code === 0) resolve(text + cut);
      else resolve(`error: ${program} ended with ${signal ?? `code ${code}`}\n${text}${cut}`);
    });
  });
}
