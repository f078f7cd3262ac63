/** What Anthropic's clients speak: `/v1/messages`. */

import { addAnswerRoute } from "../answer-route.ts";
import { bodySchema, createBodyCheck } from "../body-fields.ts";
import type { App, Dialect, ServerContext } from "../context.ts";
import { whenGone } from "../gone.ts";
import { okAnswer } from "../openapi.ts";
import { namedEvent } from "../sse.ts";
import type { StreamForm } from "../stream.ts";
import { countAnswer, errorAnswer, messageAnswer, messageEvent } from "./answer-schemas.ts";
import { errorBody } from "./errors.ts";
import { messageEvents, pingEvent, wholeMessage } from "./messages-answer.ts";
import { conversationOf, countFields, messagesFields, messagesRequest } from "./messages-body.ts";

const form: StreamForm = {
  contentType: "text/event-stream",
  ping: pingEvent,
  errorPart: (failure) => namedEvent("error", errorBody(failure)),
};

export const anthropic: Dialect = {
  name: "anthropic",
  errorBody,
  errorAnswer,
  routes(app, context) {
    addAnswerRoute(app, context, {
      url: "/v1/messages",
      summary: "The answer to a conversation",
      tag: "anthropic",
      fields: messagesFields,
      request: messagesRequest,
      isStream: ({ stream }) => stream ?? false,
      whole: wholeMessage,
      pieces: messageEvents,
      form,
      answers: { whole: messageAnswer, part: messageEvent },
    });
    addCountRoute(app, context);
  },
};

function addCountRoute(app: App, context: ServerContext): void {
  const judge = createBodyCheck(countFields, context);
  const summary = "How many tokens a conversation has";
  const schema = {
    summary,
    tags: ["anthropic"],
    body: bodySchema(countFields),
    response: okAnswer({ json: countAnswer }),
  };
  app.post("/v1/messages/count_tokens", { schema }, async (asked, reply) => {
    const body = judge(asked, reply);
    using lease = await context.models.acquire(body.model, { signal: whenGone(reply) });
    const { messages, template, tools } = conversationOf(body);
    const tokens = await lease.engine.encodeChat(messages, { ...template, tools });
    return { input_tokens: tokens.length };
  });
}
