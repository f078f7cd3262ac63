/** Options of how prompts are read, which several commands have. */
import { promptStreams } from "../index.ts";
import { ApiOption } from "./api-option.ts";
import { wholeNumber } from "./option-values.ts";

export function batchOption(): ApiOption<"batchSize"> {
  const text = "tokens of a prompt read at once (default: 128; up to 2048 where prompts stream)";
  return new ApiOption("batchSize", "--batch <tokens>", text).argParser(wholeNumber);
}

export function promptStreamOption(): ApiOption<"promptStream"> {
  const text =
    "bring cold neurons and experts to the card for a prompt, when it pays (auto) or always";
  return new ApiOption("promptStream", "--prompt-stream <when>", text)
    .choices([...promptStreams])
    .default("auto");
}
