/** `/api/chat` and `/api/generate`: answers, or only a model that is loaded or sent away. */
import type { z } from "zod";
import type { Engine } from "../../index.ts";
import { Answers } from "../answers/answers.ts";
import type { AnswerRequest } from "../answers/request.ts";
import { requireThinking } from "../answers/thinking.ts";
import { type BodyFields, bodySchema, createBodyCheck } from "../body-fields.ts";
import type { App, ServerContext } from "../context.ts";
import { RequestError } from "../errors.ts";
import { whenGone } from "../gone.ts";
import type { Limits } from "../limits.ts";
import { okAnswer } from "../openapi.ts";
import { sendStream } from "../stream.ts";
import {
  type AnswerPlace,
  type Asked,
  answerLines,
  line,
  lines,
  loadedAnswer,
  messagePlace,
  responsePlace,
  wholeAnswer,
} from "./answer.ts";
import { chatAnswer, generateAnswer } from "./answer-schemas.ts";
import {
  type AnswerBody,
  besideOptions,
  chatFields,
  generateFields,
  isOption,
  type RunBody,
  withOptions,
} from "./fields.ts";
import { chatRequest, generateRequest, thinkVariables } from "./prompts.ts";

export function addRunRoutes(app: App, context: ServerContext): void {
  addRoute(app, context, {
    url: "/api/chat",
    summary: "The answer to a conversation",
    fields: chatFields,
    request: chatRequest,
    place: messagePlace,
    answer: chatAnswer,
  });
  addRoute(app, context, {
    url: "/api/generate",
    summary: "The answer to a prompt",
    fields: generateFields,
    request: generateRequest,
    place: responsePlace,
    answer: generateAnswer,
  });
}

interface RunRoute<Body extends AnswerBody> {
  readonly url: string;
  readonly summary: string;
  readonly fields: BodyFields<Body>;
  /** Undefined where no answer is wanted. */
  request(body: Body, limits: Limits): AnswerRequest | undefined;
  readonly place: AnswerPlace;
  /** Of a whole answer and of a line. */
  readonly answer: z.ZodType;
}

function addRoute<Body extends AnswerBody>(
  app: App,
  context: ServerContext,
  { url, summary, fields, request: requestOf, place, answer }: RunRoute<Body>,
): void {
  const { models, limits } = context;
  const { contentType } = lines;
  const response = okAnswer({ json: answer, stream: { contentType, part: answer } });
  const judge = createBodyCheck(fields, context);
  app.post(
    url,
    { schema: { summary, tags: ["ollama"], body: bodySchema(fields, isOption), response } },
    async (asked, reply) => {
      const startedAt = performance.now();
      asked.body = withOptions(asked.body, besideOptions);
      const body = judge(asked, reply);
      const { model, keep_alive: keepAlive, stream = true } = body;
      const request = requestOf(body, limits);
      const signal = whenGone(reply);
      if (request === undefined && keepAlive === 0) {
        await models.unload(model);
        return end(loadedAnswer(model, "unload", place));
      }
      using lease = await models.acquire(model, { signal, keepAlive });
      requireContext(body, lease.engine);
      if (request === undefined) return end(loadedAnswer(lease.name, "load", place));
      const { think } = body;
      if (think) requireThinking(lease.engine, thinkVariables(think) ?? {}, "think");
      using answers = await Answers.start(context, request, signal);
      const times: Asked = { startedAt, loadMilliseconds: lease.loadMilliseconds, place };
      if (!stream) return await wholeAnswer(answers, times);
      await sendStream(reply, answerLines(answers, times), { form: lines, times: limits.stream });
      return reply;

      function end(answer: object): unknown {
        return stream ? reply.type(lines.contentType).send(line(answer)) : answer;
      }
    },
  );
}

/** A context as long as was asked for, or longer, answers alike. @throws RequestError with both numbers */
export function requireContext({ num_ctx: wanted }: RunBody, { contextLength }: Engine): void {
  if (wanted === undefined || wanted <= contextLength) return;
  const message = `num_ctx: ${wanted} tokens are more than the context here, which has ${contextLength}; start hearth serve with -c ${wanted}`;
  throw new RequestError("invalid request", message, { field: "num_ctx" });
}
