/** What of Ollama's bodies is a request for an answer. */
import { defined } from "../../core/defined.ts";
import type { ChatMessage } from "../../index.ts";
import { isBegun } from "../answers/begun-answer.ts";
import { anyObject, type SchemaObject } from "../answers/form-fields.ts";
import type { AnswerPrompt, AnswerRequest } from "../answers/request.ts";
import { samplingOptions } from "../answers/sampling-fields.ts";
import { RequestError, requireAtMost } from "../errors.ts";
import type { Limits } from "../limits.ts";
import { toolsOf } from "../openai/messages.ts";
import type { AnswerBody, ChatBody, GenerateBody, OllamaMessage } from "./fields.ts";

/** Undefined where the body only wants the model loaded, or sent away. */
export function chatRequest(body: ChatBody, limits: Limits): AnswerRequest | undefined {
  const { messages = [] } = body;
  if (messages.length === 0) return undefined;
  const prompt = chatPrompt(body, messages.map(messageOf));
  return request(body, limits, { ...prompt, tools: toolsOf(body.tools ?? []) });
}

/** Undefined where the body only wants the model loaded, or sent away. */
export function generateRequest(body: GenerateBody, limits: Limits): AnswerRequest | undefined {
  const { prompt = "", suffix = "", system, raw } = body;
  if (prompt === "" && suffix === "") return undefined;
  if (suffix !== "") {
    refuseBeside("suffix", "system", system);
    refuseBeside("suffix", "think", body.think);
    const around = { prefix: prompt, suffix, begun: "", files: [] };
    return request(body, limits, { kind: "fill-in", around });
  }
  if (raw) {
    refuseBeside("raw", "system", system);
    refuseBeside("raw", "think", body.think);
    return request(body, limits, { kind: "text", text: prompt, parseSpecial: true });
  }
  const before = system ? [{ role: "system", content: system }] : [];
  return request(body, limits, chatPrompt(body, [...before, { role: "user", content: prompt }]));
}

function request(body: AnswerBody, limits: Limits, prompt: AnswerPrompt): AnswerRequest {
  const { model, keep_alive: keepAlive, num_predict: most } = body;
  const maxTokens = most === undefined || most < 0 ? undefined : most;
  const logprobs = logprobsOf(body, limits);
  const schema = schemaOf(body);
  return {
    model,
    prompts: [prompt],
    options: { ...samplingOptions(body), ...defined({ maxTokens, logprobs, schema }) },
    ...defined({ keepAlive }),
  };
}

/** How many alternatives to report; undefined: no log-probabilities. */
function logprobsOf(
  { logprobs = false, top_logprobs = 0 }: AnswerBody,
  limits: Limits,
): number | undefined {
  requireAtMost("top_logprobs", top_logprobs, limits.topLogprobs);
  if (logprobs) return top_logprobs;
  if (top_logprobs === 0) return undefined;
  const message = "top_logprobs: give logprobs true with it";
  throw new RequestError("invalid request", message, { field: "top_logprobs" });
}

function schemaOf({ format }: AnswerBody): SchemaObject | undefined {
  if (format === undefined || format === "") return undefined;
  return format === "json" ? anyObject : format;
}

function chatPrompt(
  { think }: AnswerBody,
  messages: readonly ChatMessage[],
): Extract<AnswerPrompt, { kind: "messages" }> {
  const variables = thinkVariables(think);
  const template = { ...(isBegun(messages) && { continueLast: true }), ...defined({ variables }) };
  return { kind: "messages", messages, template };
}

/** By the names that templates know it: Qwen's and others', and gpt-oss'. */
export function thinkVariables(
  think: AnswerBody["think"],
): Readonly<Record<string, unknown>> | undefined {
  if (think === undefined) return undefined;
  if (typeof think === "boolean") return { enable_thinking: think };
  return { enable_thinking: true, reasoning_effort: think };
}

function refuseBeside(given: "raw" | "suffix", field: string, value: unknown): void {
  if (value === undefined || value === "" || value === false) return;
  const message = `${field}: with ${given} the prompt is read as it is; write it there`;
  throw new RequestError("invalid request", message, { field });
}

function messageOf(message: OllamaMessage, index: number): ChatMessage {
  const { role, content = "", thinking, tool_calls, tool_name: name, ...others } = message;
  for (const [field, value] of Object.entries(others)) {
    if (value === null || (Array.isArray(value) && value.length === 0)) continue;
    const at = `messages[${index}].${field}`;
    const reason = field === "images" ? "hearth reads text" : "hearth does not know this field";
    throw new RequestError("not supported", `${at}: ${reason}`, { field: at });
  }
  const calls = (tool_calls ?? []).map(({ function: { name: called, arguments: given } }) => {
    return { type: "function" as const, function: { name: called, arguments: given } };
  });
  return {
    role,
    content,
    ...defined({ name, reasoning_content: thinking }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}
