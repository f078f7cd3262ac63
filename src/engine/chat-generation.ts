/** The answer to a conversation: a generation whose thoughts, content and calls of tools are told apart. */
import { randomUUID } from "node:crypto";
import type { ActiveGeneration, GeneratedChunk, GenerationResult } from "../runtime/generation.ts";
import { Generation } from "../runtime/generation-stream.ts";
import type { Reply, ReplyEvent } from "../text/replies/reply.ts";
import {
  createReplyParser,
  parseReply,
  type ReplyForm,
  type ReplyOptions,
} from "../text/replies/reply-form.ts";

export interface ChatChunk extends GeneratedChunk {
  /** What became certain with this chunk; often nothing while a call is being written. */
  readonly events: readonly ReplyEvent[];
}

export interface ChatResult extends GenerationResult {
  readonly reply: Reply;
}

export interface ChatReading<Value = unknown>
  extends Pick<ReplyOptions, "tools" | "prompt" | "continued"> {
  readonly form: ReplyForm;
  readonly signal: AbortSignal | undefined;
  /** Of the answer, what stands behind the prompt already. */
  readonly begun: string;
  /** As Generation's. */
  readonly read: (result: GenerationResult) => Value | Promise<Value>;
}

export class ChatGeneration<Value = unknown> extends Generation<Value> {
  /** As of any generation, with what the answer says. */
  override readonly result: Promise<ChatResult>;
  readonly #form: ReplyForm;
  readonly #options: ReplyOptions;
  readonly #begun: string;

  constructor(
    active: ActiveGeneration,
    { form, signal, read, begun, ...reading }: ChatReading<Value>,
  ) {
    super(active, signal, read);
    const ids: string[] = [];
    const idOf = (index: number): string => (ids[index] ??= makeId());
    this.#form = form;
    this.#options = { ...reading, idOf };
    this.#begun = begun;
    this.result = active.result.then((result) => {
      return { ...result, reply: parseReply(begun + result.written, form, this.#options) };
    });
    // The reader of the chunks sees an error; a process must not crash because nobody looks at `result`.
    this.result.catch(() => undefined);
  }

  /** One chunk for each token, and a last one for what was held back. @throws as Generation's */
  override [Symbol.asyncIterator](): AsyncIterableIterator<ChatChunk, undefined> {
    return this.#read(super[Symbol.asyncIterator]());
  }

  /** What the answer says, once it is written. */
  async reply(): Promise<Reply> {
    return (await this.result).reply;
  }

  async *#read(
    chunks: AsyncIterableIterator<GeneratedChunk, undefined>,
  ): AsyncGenerator<ChatChunk, undefined, undefined> {
    const parser = createReplyParser(this.#form, this.#options);
    parser.push(this.#begun);
    for await (const chunk of chunks) {
      yield { ...chunk, events: parser.push(chunk.written ?? chunk.text) };
    }
    const events = parser.end();
    if (events.length > 0) yield { text: "", events };
    return undefined;
  }
}

/** Nine letters and digits: Mistral's templates take no other. */
function makeId(): string {
  return randomUUID().replaceAll("-", "").slice(0, 9);
}

/** What the whole of an answer says to the user; undefined where it calls a tool. */
export function contentIn(
  { written }: GenerationResult,
  { form, begun, ...reading }: Omit<ChatReading, "read" | "signal">,
): string | undefined {
  const { content, toolCalls } = parseReply(begun + written, form, { ...reading, idOf: makeId });
  return toolCalls.length > 0 ? undefined : content;
}
