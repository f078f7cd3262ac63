/** What clients of llama-server speak beside OpenAI's interface. */
import { addAnswerRoute } from "../answer-route.ts";
import type { Dialect } from "../context.ts";
import { dataEvent, eventStream } from "../sse.ts";
import { completionEvents, wholeCompletion } from "./completion-answer.ts";
import { completionFields, completionRequest } from "./completion-body.ts";
import { addEmbeddingRoutes } from "./embedding.ts";
import { errorBody } from "./errors.ts";
import { addPropsRoutes } from "./props.ts";
import { addSlotRoutes } from "./slots.ts";
import { addTokenRoutes } from "./tokens.ts";

export const llamaCpp: Dialect = {
  name: "llama.cpp",
  errorBody,
  routes(app, context) {
    for (const url of ["/completion", "/completions"]) {
      addAnswerRoute(app, context, {
        url,
        summary: "The continuation of a text",
        tag: "llama.cpp",
        fields: completionFields,
        request: completionRequest,
        isStream: ({ stream }) => stream ?? false,
        whole: wholeCompletion,
        pieces: completionEvents,
        form: eventStream((failure) => dataEvent(errorBody(failure))),
      });
    }
    addTokenRoutes(app, context);
    addEmbeddingRoutes(app, context);
    addPropsRoutes(app, context);
    addSlotRoutes(app, context);
  },
};
