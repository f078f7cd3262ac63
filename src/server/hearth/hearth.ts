/** What hearth alone has, for its page and for whoever likes: plans of where a model's neurons go, and loading it so. */
import type { Dialect } from "../context.ts";
import { errorAnswer } from "../openai/answer-schemas.ts";
import { errorBody } from "../openai/errors.ts";
import { addPlanRoutes } from "./plan-routes.ts";
import { addReloadRoute } from "./reload-route.ts";

export const hearth: Dialect = {
  name: "hearth",
  errorBody,
  errorAnswer,
  routes(app, context) {
    addPlanRoutes(app, context);
    addReloadRoute(app, context);
  },
};
