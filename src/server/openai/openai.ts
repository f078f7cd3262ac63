/** What OpenAI's clients speak: the paths under /v1. */
import type { Dialect } from "../context.ts";
import { addChatRoutes } from "./chat.ts";
import { errorBody } from "./errors.ts";
import { addModelRoutes } from "./models.ts";

export const openai: Dialect = {
  name: "openai",
  errorBody,
  routes(app, context) {
    addModelRoutes(app, context);
    addChatRoutes(app, context);
  },
};
