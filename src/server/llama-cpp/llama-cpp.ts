/** What clients of llama-server speak beside OpenAI's interface. */
import { addAnswerRoute } from "../answer-route.ts";
import { isListed } from "../answers/prompt-field.ts";
import type { Dialect } from "../context.ts";
import { type RefusedPath, refusePaths } from "../refused-paths.ts";
import { dataEvent, eventStream } from "../sse.ts";
import type { StreamForm } from "../stream.ts";
import { completionAnswer, completionEvent, errorAnswer, infillAnswer } from "./answer-schemas.ts";
import { completionEvents, wholeCompletion } from "./completion-answer.ts";
import {
  type CompletionBody,
  completionFields,
  completionRequest,
  infillFields,
  infillRequest,
} from "./completion-body.ts";
import { addEmbeddingRoutes } from "./embedding.ts";
import { errorBody } from "./errors.ts";
import { addPropsRoutes } from "./props.ts";
import { addSlotRoutes } from "./slots.ts";
import { addTokenRoutes } from "./tokens.ts";

const form: StreamForm = eventStream((failure) => dataEvent(errorBody(failure)));

export const llamaCpp: Dialect = {
  name: "llama.cpp",
  errorBody,
  errorAnswer,
  routes(app, context) {
    for (const url of ["/completion", "/completions"]) {
      addAnswerRoute(app, context, {
        url,
        summary: "The continuation of a text",
        tag: "llama.cpp",
        fields: completionFields,
        request: completionRequest,
        isStream: ({ stream }) => stream ?? false,
        whole: (answers, body: CompletionBody) =>
          wholeCompletion(answers, body, isListed(body.prompt)),
        pieces: completionEvents,
        form,
        answers: { whole: completionAnswer, part: completionEvent },
      });
    }
    addAnswerRoute(app, context, {
      url: "/infill",
      summary: "The middle of a text, of models that fill in",
      tag: "llama.cpp",
      fields: infillFields,
      request: infillRequest,
      isStream: ({ stream }) => stream ?? false,
      whole: (answers, body) => wholeCompletion(answers, body, false),
      pieces: completionEvents,
      form,
      answers: { whole: infillAnswer, part: completionEvent },
    });
    addTokenRoutes(app, context);
    addEmbeddingRoutes(app, context);
    addPropsRoutes(app, context);
    addSlotRoutes(app, context);
    refusePaths(app, absentPaths);
  },
};

const ranking = "hearth runs no models that rank; the vectors of /v1/embeddings can be compared";
const absentPaths: readonly RefusedPath[] = [
  ...["/rerank", "/reranking", "/v1/rerank", "/v1/reranking"].map(
    (url): RefusedPath => ["POST", url, ranking],
  ),
  ["POST", "/lora-adapters", "hearth has no adapters; merge one into its model"],
];
