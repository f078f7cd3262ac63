/** What Ollama's clients speak: the paths under /api. Models are not pulled, made or deleted here. */
import type { App, Dialect } from "../context.ts";
import { RequestError } from "../errors.ts";
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
    refuseChanges(app);
  },
};

const commands: readonly (readonly [method: "POST" | "DELETE", url: string, instead: string])[] = [
  ["POST", "/api/pull", "hearth pull fetches models"],
  ["POST", "/api/push", "hearth sends no models away"],
  ["POST", "/api/create", "hearth runs GGUF files as they are"],
  ["POST", "/api/copy", "hearth runs GGUF files as they are"],
  ["DELETE", "/api/delete", "hearth rm removes models"],
  ["POST", "/api/blobs/:digest", "hearth runs GGUF files as they are"],
];

function refuseChanges(app: App): void {
  for (const [method, url, instead] of commands) {
    app.route({
      method,
      url,
      schema: { hide: true },
      handler: () => {
        throw new RequestError("not supported", `${url} is not supported: ${instead}`);
      },
    });
  }
}
