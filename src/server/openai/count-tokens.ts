/** How many tokens the prompt of a conversation has: the bodies are those of the routes that answer it. */
import type { AnswerRequest } from "../answers/request.ts";
import { type BodyFields, bodySchema, createBodyCheck } from "../body-fields.ts";
import type { App, ServerContext } from "../context.ts";
import { whenGone } from "../gone.ts";
import type { Limits } from "../limits.ts";
import { okAnswer } from "../openapi.ts";
import { countAnswer } from "./answer-schemas.ts";
import { chatFields, chatRequest } from "./chat-body.ts";
import { responsesFields, responsesRequest } from "./responses-body.ts";

interface CountedRoute<Body> {
  readonly url: string;
  readonly fields: BodyFields<Body>;
  request(body: Body, limits: Limits): AnswerRequest;
}

export function addCountRoutes(app: App, context: ServerContext): void {
  for (const url of ["/v1/chat/completions", "/chat/completions"]) {
    addCountRoute(app, context, { url, fields: chatFields, request: chatRequest });
  }
  for (const url of ["/v1/responses", "/responses"]) {
    addCountRoute(app, context, { url, fields: responsesFields, request: responsesRequest });
  }
}

function addCountRoute<Body>(
  app: App,
  context: ServerContext,
  { url, fields, request }: CountedRoute<Body>,
): void {
  const judge = createBodyCheck(fields, context);
  const schema = {
    summary: "How many tokens the prompt of a conversation has",
    tags: ["openai"],
    body: bodySchema(fields),
    response: okAnswer({ json: countAnswer }),
  };
  app.post(`${url}/input_tokens`, { schema }, async (asked, reply) => {
    const { model, prompts } = request(judge(asked, reply), context.limits);
    using lease = await context.models.acquire(model, { signal: whenGone(reply) });
    let count = 0;
    for (const prompt of prompts) {
      if (prompt.kind !== "messages") throw new RangeError("a conversation is no other prompt");
      const { messages, template, tools = [], toolChoice } = prompt;
      const told = toolChoice === "none" ? [] : tools;
      count += (await lease.engine.encodeChat(messages, { ...template, tools: told })).length;
    }
    return { object: "response.input_tokens", input_tokens: count };
  });
}
