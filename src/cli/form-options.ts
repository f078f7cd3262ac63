/** The form that an answer keeps to, from the command line: a schema, a regular expression or a grammar. */
import type { Command } from "commander";
import { OptionError } from "../core/errors.ts";
import type { FormOptions } from "../index.ts";
import { ApiOption, addApiOptions } from "./api-option.ts";
import { readInput } from "./input-text.ts";

/** As it is typed: `schema` and `grammar` may be files. */
export interface FormFlags {
  readonly schema?: string;
  readonly regex?: string;
  readonly grammar?: string;
}

const formOptionList = (): readonly ApiOption<keyof FormFlags>[] => [
  new ApiOption(
    "schema",
    "--schema <file|json>",
    "write JSON that is valid against a JSON schema (default: any text)",
  ),
  new ApiOption(
    "regex",
    "--regex <pattern>",
    "write a text that matches as a whole (default: any text)",
  ),
  new ApiOption(
    "grammar",
    "--grammar <file>",
    "write a text of a grammar in GBNF (default: any text)",
  ),
];

export function addFormOptions(command: Command): Command {
  return addApiOptions(command, formOptionList());
}

/** Reads the files. @throws FileAccessError, OptionError for a schema that is no JSON. */
export function formOptions({ schema, regex, grammar }: FormFlags): FormOptions {
  return {
    ...(schema !== undefined && { schema: readSchema(schema) }),
    ...(regex !== undefined && { regex }),
    ...(grammar !== undefined && { grammar: textOf(grammar) }),
  };
}

function readSchema(fileOrJson: string): NonNullable<FormOptions["schema"]> {
  const isJson = /^\s*[{]/.test(fileOrJson);
  const text = isJson ? fileOrJson : textOf(fileOrJson);
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new OptionError("schema", `no JSON (${reason})`, "a JSON schema, or a file of one");
  }
}

function textOf(file: string): string {
  return Buffer.from(readInput(file)).toString("utf8");
}
