/** Tools for a model whose chat template knows none: told in words, called as JSON. */
import type { Tool } from "./tool.ts";

/** What the model is told. */
export function toolsText(tools: readonly Tool[]): string {
  const listed = tools.map(({ name, description, parameters }) =>
    JSON.stringify({ name, description, parameters }),
  );
  return [
    "You can call these functions. Each is described by a line of JSON; its parameters are a JSON schema.",
    ...listed,
    "To call functions, answer with nothing but one JSON object of this form:",
    '{"tool_calls": [{"name": "NAME", "arguments": {"PARAMETER": "VALUE"}}]}',
    "You are given their results then. If no function helps, answer in plain text.",
  ].join("\n");
}

/** A result, as a message of the user's. */
export function resultText(name: string | undefined, content: string): string {
  return `Result of ${name ?? "the function"}:\n${content}`;
}
