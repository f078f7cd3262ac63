/** What gpt-oss's answers are bound to: messages with headers (text/replies/harmony-parser.ts). */
import type { Outline } from "../forms/outline.ts";
import type { Tool } from "../text/replies/tool.ts";
import { argumentsOf, sequenceOf, textOf } from "./outline-parts.ts";

const channel = "<|channel|>";
const message = "<|message|>";
const start = "<|start|>assistant";
/** How a header goes on behind the name of a function. */
const headerEnds: readonly string[] = [
  " <|constrain|>json<|message|>",
  "<|channel|>commentary <|constrain|>json<|message|>",
  "<|channel|>commentary json<|message|>",
  "<|channel|>analysis json<|message|>",
  "<|channel|>analysis code<|message|>",
  " json<|message|>",
  " code<|message|>",
  message,
];

/** Free messages; one that goes to a function is a call of it, and ends the answer. */
export function harmonyCalls(tools: readonly Tool[]): Outline {
  const body = callOf(tools);
  return { kind: "free", openings: [{ mark: "to=functions.", body, isLast: true }] };
}

/** Thoughts, then the final message with a value, or a call. */
export function harmonyForm(
  value: Outline,
  { tools, prompt }: { readonly tools: readonly Tool[]; readonly prompt: string },
): Outline {
  const thought = sequenceOf(
    textOf(`${channel}analysis${message}`),
    { kind: "until", mark: "<|end|>" },
    textOf(start),
  );
  const options = [sequenceOf(textOf(`${channel}final${message}`), value)];
  if (tools.length > 0) {
    options.push(sequenceOf(textOf(`${channel}commentary to=functions.`), callOf(tools)));
  }
  const all = sequenceOf({ kind: "any-number", body: thought }, { kind: "choice", options });
  // A prompt that has begun the final message leaves its text alone.
  return prompt.trimEnd().endsWith(message) ? value : all;
}

function callOf(tools: readonly Tool[]): Outline {
  const calls = tools.map((tool) =>
    sequenceOf(
      textOf(tool.name),
      { kind: "choice", options: headerEnds.map(textOf) },
      argumentsOf(tool, undefined),
    ),
  );
  return { kind: "choice", options: calls };
}
