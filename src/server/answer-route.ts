/** A route that answers a body: whole, or piece by piece where the body asks for that. Every dialect's answers go through here. */
import type { z } from "zod";
import { Answers } from "./answers/answers.ts";
import type { AnswerRequest } from "./answers/request.ts";
import { type BodyFields, bodySchema, createBodyCheck } from "./body-fields.ts";
import type { App, ServerContext } from "./context.ts";
import { whenGone } from "./gone.ts";
import type { Limits } from "./limits.ts";
import { watchHeader } from "./neurons/watches.ts";
import { okAnswer } from "./openapi.ts";
import { type StreamForm, sendStream } from "./stream.ts";

export interface AnswerRoute<Body> {
  readonly url: string;
  readonly summary: string;
  /** Under which the route is listed: the dialect. */
  readonly tag: string;
  readonly fields: BodyFields<Body>;
  /** @throws RequestError */
  request(body: Body, limits: Limits): AnswerRequest;
  isStream(body: Body): boolean;
  whole(answers: Answers, body: Body): Promise<object>;
  pieces(answers: Answers, body: Body): AsyncIterable<string>;
  readonly form: StreamForm;
  /** Of a whole answer, and of an event or line of a stream. */
  readonly answers: { readonly whole: z.ZodType; readonly part: z.ZodType };
}

export function addAnswerRoute<Body>(
  app: App,
  context: ServerContext,
  route: AnswerRoute<Body>,
): void {
  const { url, summary, tag, fields, form } = route;
  const { limits } = context;
  const judge = createBodyCheck(fields, context);
  app.route({
    method: "POST",
    url,
    schema: {
      summary,
      tags: [tag],
      body: bodySchema(fields),
      response: okAnswer({
        json: route.answers.whole,
        stream: { contentType: form.contentType, part: route.answers.part },
      }),
    },
    handler: async (asked, reply) => {
      const body = judge(asked, reply);
      const request = route.request(body, limits);
      using watch = context.watches.claim(asked.headers[watchHeader]);
      using answers = await Answers.start(context, { ...request, watch }, whenGone(reply));
      if (!route.isStream(body)) return await route.whole(answers, body);
      await sendStream(reply, route.pieces(answers, body), { form, times: limits.stream });
      return reply;
    },
  });
}
