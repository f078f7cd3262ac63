/** The published architectures that make-model writes, one line each. */
import type { Recipe } from "./recipe.ts";
import { gemma2 } from "./recipes/gemma2.ts";
import { gemma3 } from "./recipes/gemma3.ts";
import { glm4 } from "./recipes/glm4.ts";
import { granite } from "./recipes/granite.ts";
import { mistral3 } from "./recipes/mistral3.ts";
import { olmo2 } from "./recipes/olmo2.ts";
import { phi3 } from "./recipes/phi3.ts";
import { smollm3 } from "./recipes/smollm3.ts";

export const recipes: ReadonlyMap<string, Recipe> = new Map(
  [gemma2, gemma3, glm4, granite, mistral3, olmo2, phi3, smollm3].map((recipe) => [
    recipe.name,
    recipe,
  ]),
);
