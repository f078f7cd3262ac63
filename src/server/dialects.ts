/** The dialects that the server speaks, each a folder of its own. */
import { anthropic } from "./anthropic/anthropic.ts";
import type { Dialect } from "./context.ts";
import { hearth } from "./hearth/hearth.ts";
import { llamaCpp } from "./llama-cpp/llama-cpp.ts";
import { ollama } from "./ollama/ollama.ts";
import { openai } from "./openai/openai.ts";

export const dialects: readonly Dialect[] = [openai, anthropic, llamaCpp, ollama, hearth];
