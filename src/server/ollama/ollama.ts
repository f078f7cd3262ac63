/** What Ollama's clients speak: the paths under /api. Models are not pulled, made or deleted here. */
import type { Dialect } from "../context.ts";
import { type RefusedPath, refusePaths } from "../refused-paths.ts";
import { errorAnswer } from "./answer-schemas.ts";
import { addEmbedRoutes } from "./embed.ts";
import { errorBody } from "./errors.ts";
import { addModelRoutes } from "./models.ts";
import { addRunRoutes } from "./run.ts";

export const ollama: Dialect = {
  name: "ollama",
  errorBody,
  errorAnswer,
  routes(app, context) {
    addModelRoutes(app, context);
    addRunRoutes(app, context);
    addEmbedRoutes(app, context);
    refusePaths(app, commands);
  },
};

const commands: readonly RefusedPath[] = [
  ["POST", "/api/pull", "hearth pull fetches models"],
  ["POST", "/api/push", "hearth sends no models away"],
  ["POST", "/api/create", "hearth runs GGUF files as they are"],
  ["POST", "/api/copy", "hearth runs GGUF files as they are"],
  ["DELETE", "/api/delete", "hearth rm removes models"],
  ["POST", "/api/blobs/:digest", "hearth runs GGUF files as they are"],
];
