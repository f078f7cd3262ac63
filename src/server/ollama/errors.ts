/** Errors as Ollama's clients read them: one text. */
import type { Failure } from "../errors.ts";

export function errorBody({ message }: Failure): object {
  return { error: message };
}
