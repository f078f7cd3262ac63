/**
 * Functions that a model may call in `hearth chat --tools FILE`: a JSON list of { name, description, parameters, command }.
 * A command is a program with its arguments, run as they stand, without a shell (docs/tools.md).
 */
import { isPlainObject } from "../core/check-options.ts";
import { defined } from "../core/defined.ts";
import { FileFormatError } from "../core/errors.ts";
import { MiB } from "../core/units.ts";
import type { Tool } from "../index.ts";
import { readTextFile } from "../io/open-file.ts";

export interface DeclaredTool extends Tool {
  /** A program, and its arguments; "{name}" alone stands for the text of a parameter of the call. */
  readonly command: readonly string[];
}

/** More than any list of tools: it is text in every prompt. */
const maxBytes = MiB;

/** @throws FileAccessError, or FileFormatError naming the tool. The model's side of a tool is judged by the engine. */
export function readToolFile(file: string): readonly DeclaredTool[] {
  const list = parse(file, readTextFile(file, maxBytes));
  return list.map((entry: unknown, index) => {
    const where = `tool ${index}`;
    if (!isPlainObject(entry)) throw malformed(file, where, typeof entry, "an object");
    const { name, description, parameters, command, ...others } = entry;
    const [unknown] = Object.keys(others);
    if (unknown !== undefined) {
      throw malformed(
        file,
        where,
        `"${unknown}"`,
        "name, description, parameters and command alone",
      );
    }
    if (typeof name !== "string") throw malformed(file, where, "no name", "a name");
    if (!isCommand(command)) {
      const expected = 'a list of texts, as ["date", "+%H:%M"]';
      throw malformed(file, `${where}, command`, JSON.stringify(command) ?? "nothing", expected);
    }
    if (description !== undefined && typeof description !== "string") {
      throw malformed(file, `${where}, description`, typeof description, "a text");
    }
    if (parameters !== undefined && !isPlainObject(parameters)) {
      throw malformed(file, `${where}, parameters`, typeof parameters, "a JSON schema");
    }
    return { name, command, ...defined({ description, parameters }) };
  });
}

function parse(file: string, text: string): readonly unknown[] {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (error) {
    const found = error instanceof Error ? error.message : "no JSON";
    throw malformed(file, "the text", found, "JSON");
  }
  if (!Array.isArray(list)) throw malformed(file, "the text", typeof list, "a list of tools");
  return list;
}

function isCommand(command: unknown): command is readonly string[] {
  if (!Array.isArray(command)) return false;
  const [program] = command;
  return command.every((part) => typeof part === "string") && program !== "" && command.length > 0;
}

function malformed(file: string, where: string, found: string, expected: string): FileFormatError {
  return new FileFormatError({ file, where, found, expected });
}
