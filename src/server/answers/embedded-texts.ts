/** What is to be embedded, and how long its vectors are. */
import type { Engine } from "../../index.ts";
import { RequestError } from "../errors.ts";
import { encodeMixed, isTokens, type PromptField, promptsIn } from "./prompt-field.ts";

/** Each of the texts as the engine takes it. */
export async function embeddedTexts(
  field: PromptField,
  engine: Engine,
): Promise<readonly (string | readonly number[])[]> {
  const texts: (string | readonly number[])[] = [];
  for (const one of promptsIn(field)) {
    const isPlain = typeof one === "string" || isTokens(one);
    texts.push(isPlain ? one : await encodeMixed(one, engine, false));
  }
  return texts;
}

/**
 * A shorter vector means something for models alone that were trained for it (Matryoshka), which no GGUF file says.
 * @throws RequestError unless the vectors have this length
 */
export function requireDimensions(wanted: number | undefined, { model }: Engine): void {
  const { dim } = model.hyperparameters;
  if (wanted === undefined || wanted === dim) return;
  const message = `dimensions: this model's vectors have ${dim}, not ${wanted}; whether the first ${wanted} of them mean anything its file does not say`;
  throw new RequestError("not supported", message, { field: "dimensions" });
}
