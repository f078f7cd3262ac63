/** The dialects that the server speaks, each a folder of its own. */
import type { Dialect } from "./context.ts";
import { ollama } from "./ollama/ollama.ts";
import { openai } from "./openai/openai.ts";

export const dialects: readonly Dialect[] = [openai, ollama];
