/** `/tokenize`, `/detokenize` and `/apply-template`. */
import { z } from "zod";
import type { Tokenizer } from "../../index.ts";
import { type BodyFields, bodySchema, createBodyCheck } from "../body-fields.ts";
import type { App, ServerContext } from "../context.ts";
import { RequestError } from "../errors.ts";
import { whenGone } from "../gone.ts";
import {
  chatMessage,
  chatTool,
  type EndingBody,
  endingFields,
  endingOf,
  messagesOf,
  type OpenAiTool,
  toolsOf,
} from "../openai/messages.ts";
import { okAnswer } from "../openapi.ts";
import { detokenizeAnswer, templateAnswer, tokenizeAnswer } from "./answer-schemas.ts";

interface TokenizeBody {
  readonly model?: string | undefined;
  readonly content: string;
  readonly add_special?: boolean | undefined;
  readonly parse_special?: boolean | undefined;
  readonly with_pieces?: boolean | undefined;
}

const tokenizeFields: BodyFields<TokenizeBody> = {
  schema: z
    .object({
      model: z.string().optional(),
      content: z.string(),
      add_special: z.boolean().optional().describe("Tokens to begin and end with. Default false"),
      parse_special: z.boolean().optional().describe("Control tokens by their names. Default true"),
      with_pieces: z.boolean().optional(),
    })
    .meta({ id: "TokenizeRequest" }),
  idle: [],
  absent: {},
};

interface DetokenizeBody {
  readonly model?: string | undefined;
  readonly tokens: readonly number[];
}

const detokenizeFields: BodyFields<DetokenizeBody> = {
  schema: z
    .object({ model: z.string().optional(), tokens: z.array(z.int().min(0)) })
    .meta({ id: "DetokenizeRequest" }),
  idle: [],
  absent: {},
};

interface TemplateBody extends EndingBody {
  readonly model?: string | undefined;
  readonly tools?: readonly OpenAiTool[] | undefined;
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>> | undefined;
}

const templateFields: BodyFields<TemplateBody> = {
  schema: z
    .object({
      model: z.string().optional(),
      messages: z.array(chatMessage).min(1),
      tools: z.array(chatTool).optional(),
      ...endingFields,
      chat_template_kwargs: z.record(z.string(), z.unknown()).optional(),
    })
    .meta({ id: "ApplyTemplateRequest" }),
  idle: [],
  absent: {},
};

export function addTokenRoutes(app: App, context: ServerContext): void {
  const { models } = context;
  const tags = ["llama.cpp"];
  const judgeText = createBodyCheck(tokenizeFields, context);
  app.post(
    "/tokenize",
    {
      schema: {
        summary: "The tokens of a text",
        tags,
        body: bodySchema(tokenizeFields),
        response: okAnswer({ json: tokenizeAnswer }),
      },
    },
    async (asked, reply) => {
      const { model, content, add_special, parse_special, with_pieces } = judgeText(asked, reply);
      using lease = await models.acquire(model, { signal: whenGone(reply) });
      const { tokenizer } = lease.engine;
      const add = add_special ? "model" : "never";
      const form = { parseSpecial: parse_special ?? true, addBos: add, addEos: add } as const;
      const ids = await tokenizer.encodeWithPauses(content, form);
      return {
        tokens: with_pieces ? ids.map((id) => ({ id, piece: pieceOf(id, tokenizer) })) : ids,
      };
    },
  );
  const judgeTokens = createBodyCheck(detokenizeFields, context);
  app.post(
    "/detokenize",
    {
      schema: {
        summary: "The text of tokens",
        tags,
        body: bodySchema(detokenizeFields),
        response: okAnswer({ json: detokenizeAnswer }),
      },
    },
    async (asked, reply) => {
      const { model, tokens } = judgeTokens(asked, reply);
      using lease = await models.acquire(model, { signal: whenGone(reply) });
      requireTokens(tokens, lease.engine.model.vocabulary);
      const pieces = tokens.map((id) => lease.engine.tokenizer.pieceBytes(id));
      return { content: Buffer.concat(pieces).toString("utf8") };
    },
  );
  const judgeMessages = createBodyCheck(templateFields, context);
  app.post(
    "/apply-template",
    {
      schema: {
        summary: "A conversation as the model reads it",
        tags,
        body: bodySchema(templateFields),
        response: okAnswer({ json: templateAnswer }),
      },
    },
    async (asked, reply) => {
      const body = judgeMessages(asked, reply);
      using lease = await models.acquire(body.model, { signal: whenGone(reply) });
      const variables = body.chat_template_kwargs ?? {};
      const messages = messagesOf(body.messages);
      const tools = toolsOf(body.tools ?? []);
      const options = { variables, tools, ...endingOf(body) };
      return { prompt: lease.engine.renderChat(messages, options) };
    },
  );
}

function requireTokens(tokens: readonly number[], vocabulary: number): void {
  const wrong = tokens.findIndex((id) => id >= vocabulary);
  if (wrong < 0) return;
  const field = `tokens[${wrong}]`;
  const message = `${field}: ${tokens[wrong]} is no token; the ids are 0 to ${vocabulary - 1}`;
  throw new RequestError("invalid request", message, { field });
}

/** Bytes where they are no whole text. */
function pieceOf(id: number, tokenizer: Tokenizer): string | readonly number[] {
  const bytes = tokenizer.pieceBytes(id);
  const text = Buffer.from(bytes).toString("utf8");
  return Buffer.from(text).equals(bytes) ? text : [...bytes];
}
