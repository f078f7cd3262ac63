/** What OpenAI's clients speak: the paths under /v1. */
import { addAnswerRoute } from "../answer-route.ts";
import type { Dialect } from "../context.ts";
import { dataEvent, eventStream } from "../sse.ts";
import type { StreamForm } from "../stream.ts";
import { chatChunks, chatCompletion } from "./chat-answer.ts";
import { chatFields, chatRequest } from "./chat-body.ts";
import { completionChunks, textCompletion } from "./completions-answer.ts";
import { completionFields, completionRequest } from "./completions-body.ts";
import { addEmbeddingRoute } from "./embeddings.ts";
import { errorBody } from "./errors.ts";
import { addModelRoutes } from "./models.ts";
import type { SharedBody } from "./shared-fields.ts";

const form: StreamForm = eventStream((failure) => dataEvent(errorBody(failure)));
const isStream = ({ stream }: SharedBody): boolean => stream ?? false;

export const openai: Dialect = {
  name: "openai",
  errorBody,
  routes(app, context) {
    addModelRoutes(app, context);
    addEmbeddingRoute(app, context);
    for (const url of ["/v1/chat/completions", "/chat/completions"]) {
      addAnswerRoute(app, context, {
        url,
        summary: "The answer to a conversation",
        tag: "openai",
        fields: chatFields,
        request: chatRequest,
        isStream,
        whole: chatCompletion,
        pieces: chatChunks,
        form,
      });
    }
    addAnswerRoute(app, context, {
      url: "/v1/completions",
      summary: "The continuation of a text",
      tag: "openai",
      fields: completionFields,
      request: completionRequest,
      isStream,
      whole: textCompletion,
      pieces: completionChunks,
      form,
    });
  },
};
