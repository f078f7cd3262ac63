/** What OpenAI's clients speak: the paths under /v1. */
import { addAnswerRoute } from "../answer-route.ts";
import type { Dialect } from "../context.ts";
import { dataEvent, eventStream, namedEvent } from "../sse.ts";
import type { StreamForm } from "../stream.ts";
import {
  chatAnswer,
  chatChunk,
  completionAnswer,
  completionChunk,
  errorAnswer,
} from "./answer-schemas.ts";
import { chatChunks, chatCompletion } from "./chat-answer.ts";
import { chatFields, chatRequest } from "./chat-body.ts";
import { completionChunks, textCompletion } from "./completions-answer.ts";
import { completionFields, completionRequest } from "./completions-body.ts";
import { addCountRoutes } from "./count-tokens.ts";
import { addEmbeddingRoute } from "./embeddings.ts";
import { errorBody, responseFailure } from "./errors.ts";
import { addModelRoutes } from "./models.ts";
import { wholeResponse } from "./responses-answer.ts";
import { responsesFields, responsesRequest } from "./responses-body.ts";
import { responseEvents } from "./responses-events.ts";
import { responseAnswer, responseEvent } from "./responses-schemas.ts";
import type { SharedBody } from "./shared-fields.ts";

const form: StreamForm = eventStream((failure) => dataEvent(errorBody(failure)));
const responseForm: StreamForm = eventStream((failure) =>
  namedEvent("error", { type: "error", param: null, ...responseFailure(failure) }),
);
const isStream = ({ stream }: SharedBody): boolean => stream ?? false;

export const openai: Dialect = {
  name: "openai",
  errorBody,
  errorAnswer,
  routes(app, context) {
    addModelRoutes(app, context);
    addEmbeddingRoute(app, context);
    addCountRoutes(app, context);
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
        answers: { whole: chatAnswer, part: chatChunk },
      });
    }
    for (const url of ["/v1/responses", "/responses"]) {
      addAnswerRoute(app, context, {
        url,
        summary: "The answer to a conversation, as items; nothing is stored",
        tag: "openai",
        fields: responsesFields,
        request: responsesRequest,
        isStream: ({ stream }) => stream ?? false,
        whole: wholeResponse,
        pieces: responseEvents,
        form: responseForm,
        answers: { whole: responseAnswer, part: responseEvent },
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
      answers: { whole: completionAnswer, part: completionChunk },
    });
  },
};
