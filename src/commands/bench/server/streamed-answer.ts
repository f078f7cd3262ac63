/**
 * One answer of a server that speaks OpenAI's chats, as a client sees it: when its first piece came, and how long after one
 * another the others. A piece is what one event brings; most servers send one for each token.
 */
import { isNumber, isRecord } from "../../../core/check-options.ts";
import type { Milliseconds, Tokens } from "../../../core/units.ts";

export interface ServerQuestion {
  /** "http://127.0.0.1:8080": before "/v1". */
  readonly url: string;
  /** The name of a model, where the server has several. */
  readonly model: string | undefined;
  readonly apiKey: string | undefined;
  readonly prompt: string;
  readonly answerTokens: Tokens;
  /** Answers of exactly that length: what hearth, llama-server and vLLM know, and OpenAI's own API refuses. */
  readonly ignoresEnd: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface StreamedAnswer {
  /** From the request to the first piece of text. */
  readonly firstMilliseconds: Milliseconds;
  /** From each piece to the next. */
  readonly gapMilliseconds: readonly Milliseconds[];
  /** As the server counts them; pieces where it does not say. */
  readonly answerTokens: Tokens;
  /** Undefined where it does not say. */
  readonly promptTokens: Tokens | undefined;
}

/** What came in place of an answer. */
export class RefusedAnswer extends Error {
  /** Of HTTP; undefined for a stream that ended early. */
  readonly status: number | undefined;
  constructor(message: string, status?: number) {
    super(message);
    this.name = "RefusedAnswer";
    this.status = status;
  }
}

/** Of an error's text, as much as one line shows. */
const shownCharacters = 200;

/** @throws RefusedAnswer; what fetch throws where nothing answers; the signal's reason */
export async function streamedAnswer(question: ServerQuestion): Promise<StreamedAnswer> {
  const sent = performance.now();
  const response = await fetch(`${question.url}/v1/chat/completions`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(question.apiKey !== undefined && { authorization: `Bearer ${question.apiKey}` }),
    },
    body: JSON.stringify(bodyOf(question)),
    signal: question.signal ?? null,
  });
  if (!response.ok || response.body === null) {
    const text = (await response.text()).slice(0, shownCharacters);
    throw new RefusedAnswer(`${response.status}: ${text}`, response.status);
  }
  const times: Milliseconds[] = [];
  let usage: Readonly<Record<string, unknown>> = {};
  let isDone = false;
  for await (const event of eventsOf(response.body)) {
    if (event === "[DONE]") {
      isDone = true;
      break;
    }
    const chunk: unknown = JSON.parse(event);
    if (!isRecord(chunk)) continue;
    if (isRecord(chunk["error"])) throw new RefusedAnswer(JSON.stringify(chunk["error"]));
    if (textIn(chunk) !== "") times.push(performance.now());
    if (isRecord(chunk["usage"])) usage = chunk["usage"];
  }
  const [first] = times;
  if (!isDone || first === undefined) throw new RefusedAnswer("the stream ended without an answer");
  const { completion_tokens: written, prompt_tokens: read } = usage;
  return {
    firstMilliseconds: first - sent,
    gapMilliseconds: times.slice(1).map((time, i) => time - (times[i] ?? time)),
    answerTokens: isNumber(written) ? written : times.length,
    promptTokens: isNumber(read) ? read : undefined,
  };
}

function bodyOf({ model, prompt, answerTokens, ignoresEnd }: ServerQuestion): object {
  return {
    // OpenAI's API wants one; servers of one model take any.
    model: model ?? "default",
    messages: [{ role: "user", content: prompt }],
    max_tokens: answerTokens,
    temperature: 0,
    stream: true,
    stream_options: { include_usage: true },
    ...(ignoresEnd && { ignore_eos: true }),
  };
}

/** Text of an answer, or of the thoughts before it. */
function textIn({ choices }: Readonly<Record<string, unknown>>): string {
  const [choice] = Array.isArray(choices) ? choices : [];
  const delta: unknown = isRecord(choice) ? choice["delta"] : undefined;
  if (!isRecord(delta)) return "";
  const { content, reasoning_content: thoughts } = delta;
  return `${typeof content === "string" ? content : ""}${typeof thoughts === "string" ? thoughts : ""}`;
}

/** The data of server-sent events, one line each, as all of these servers send them. */
async function* eventsOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of body) {
    rest += decoder.decode(bytes, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines)
      if (line.startsWith("data: ")) yield line.slice("data: ".length).trim();
  }
}
