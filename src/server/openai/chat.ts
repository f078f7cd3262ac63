/** `/v1/chat/completions`. */
import { Answers } from "../answers/answers.ts";
import { createFieldCheck } from "../body-fields.ts";
import type { App, ServerContext } from "../context.ts";
import { whenGone } from "../gone.ts";
import { dataEvent, eventStream } from "../sse.ts";
import { type StreamForm, sendStream } from "../stream.ts";
import { chatChunks, chatCompletion } from "./chat-answer.ts";
import { chatFields, chatRequest } from "./chat-body.ts";
import { errorBody } from "./errors.ts";

export const openaiStream: StreamForm = eventStream((failure) => dataEvent(errorBody(failure)));

export function addChatRoutes(app: App, context: ServerContext): void {
  for (const url of ["/v1/chat/completions", "/chat/completions"]) {
    app.route({
      method: "POST",
      url,
      schema: {
        summary: "The answer to a conversation",
        tags: ["openai"],
        body: chatFields.schema,
        ...(url.startsWith("/v1") ? {} : { hide: true }),
      },
      preValidation: createFieldCheck(chatFields, context),
      handler: async ({ body }, reply) => {
        const request = chatRequest(body, context.limits);
        using answers = await Answers.start(context, request, whenGone(reply));
        if (!body.stream) return await chatCompletion(answers, body);
        const { stream: times } = context.limits;
        await sendStream(reply, chatChunks(answers, body), { form: openaiStream, times });
        return reply;
      },
    });
  }
}
