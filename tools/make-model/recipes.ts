/** The published architectures that make-model writes, one line each. */

import type { Recipe } from "./recipe.ts";
import { bailingmoe } from "./recipes/bailingmoe.ts";
import { bitnet, bitnet158 } from "./recipes/bitnet.ts";
import { cohere2 } from "./recipes/cohere2.ts";
import { exaone4 } from "./recipes/exaone4.ts";
import { gemma } from "./recipes/gemma.ts";
import { gemma2 } from "./recipes/gemma2.ts";
import { gemma3 } from "./recipes/gemma3.ts";
import { gemma3n } from "./recipes/gemma3n.ts";
import { gemma4 } from "./recipes/gemma4.ts";
import { glm4 } from "./recipes/glm4.ts";
import { glm4moe } from "./recipes/glm4moe.ts";
import { gptOss } from "./recipes/gpt-oss.ts";
import { granite } from "./recipes/granite.ts";
import { granitemoe } from "./recipes/granitemoe.ts";
import { mistral3 } from "./recipes/mistral3.ts";
import { mixtral } from "./recipes/mixtral.ts";
import { olmo2 } from "./recipes/olmo2.ts";
import { olmoe } from "./recipes/olmoe.ts";
import { phi3 } from "./recipes/phi3.ts";
import { phimoe } from "./recipes/phimoe.ts";
import { qwen2moe } from "./recipes/qwen2moe.ts";
import { qwen3moe } from "./recipes/qwen3moe.ts";
import { qwen3next } from "./recipes/qwen3next.ts";
import { qwen35 } from "./recipes/qwen35.ts";
import { qwen35moe } from "./recipes/qwen35moe.ts";
import { seedOss } from "./recipes/seed-oss.ts";
import { smallthinker } from "./recipes/smallthinker.ts";
import { smollm3 } from "./recipes/smollm3.ts";
import { starcoder2 } from "./recipes/starcoder2.ts";

export const recipes: ReadonlyMap<string, Recipe> = new Map(
  [
    bitnet,
    bitnet158,
    cohere2,
    exaone4,
    gemma,
    gemma2,
    gemma3,
    gemma3n,
    gemma4,
    glm4,
    glm4moe,
    gptOss,
    granite,
    mistral3,
    mixtral,
    olmo2,
    phi3,
    qwen2moe,
    qwen3moe,
    qwen35,
    seedOss,
    smollm3,
    bailingmoe,
    granitemoe,
    olmoe,
    phimoe,
    qwen35moe,
    qwen3next,
    smallthinker,
    starcoder2,
  ].map((recipe) => [recipe.name, recipe]),
);
