/** The answers of one request, from the model's lease to the last token. */
import { defined } from "../../core/defined.ts";
import type {
  ChatGeneration,
  Engine,
  GenerateOptions,
  Generation,
  GenerationProgress,
  ReplyEvent,
} from "../../index.ts";
import type { ServerContext } from "../context.ts";
import type { ModelLease } from "../models/host.ts";
import type { NeuronWatch } from "../neurons/watches.ts";
import { encodedPrompt, promptText, type ReadyPrompt } from "./encoded-prompt.ts";
import { mergeEvents } from "./merge.ts";
import { PromptProgress } from "./prompt-progress.ts";
import type {
  AnswerEvent,
  AnswerOptions,
  AnswerRequest,
  AnswerResult,
  AnswerToken,
  WholeAnswer,
} from "./request.ts";

interface AnswerSource {
  readonly generation: Generation | ChatGeneration;
  readonly choice: number;
  /** It ends behind its first call of a tool. */
  readonly oneCall: boolean;
  /** Of its prompt, where that is told. */
  readonly progress: PromptProgress | undefined;
}

interface Writing {
  readonly sources: readonly AnswerSource[];
  /** Each has as many sources as the others. */
  readonly prompts: readonly ReadyPrompt[];
}

/** What a dialect makes its answers of. */
export type AnswerFeed = AsyncIterable<AnswerEvent> & Pick<Answers, "model" | "whole">;

/** Iterated once: leaving the loop, or disposing, ends what is still being written and gives the model back. */
export class Answers implements AsyncIterable<AnswerEvent>, Disposable {
  /** Prompts × answers to each; the answers to the first prompt come first. */
  readonly choices: number;
  readonly #context: ServerContext;
  readonly #lease: ModelLease;
  readonly #sources: readonly AnswerSource[];
  readonly #prompts: readonly ReadyPrompt[];

  /** Waits for the model. @throws RequestError, ModelLoadError, or what the engine says of the request. */
  static async start(
    context: ServerContext,
    request: AnswerRequest,
    signal: AbortSignal,
  ): Promise<Answers> {
    const { model, keepAlive } = request;
    const lease = await context.models.acquire(model, { signal, keepAlive });
    try {
      const prompts: ReadyPrompt[] = [];
      for (const prompt of request.prompts) prompts.push(await encodedPrompt(prompt, lease.engine));
      const sources = generate(lease, { ...request, prompts }, signal);
      return new Answers(context, lease, { sources, prompts });
    } catch (error) {
      lease[Symbol.dispose]();
      throw error;
    }
  }

  private constructor(context: ServerContext, lease: ModelLease, { sources, prompts }: Writing) {
    this.#context = context;
    this.#lease = lease;
    this.#sources = sources;
    this.#prompts = prompts;
    this.choices = sources.length;
    for (const { generation } of sources) generation.result.catch(() => undefined);
  }

  /** The model that answers. */
  get model(): Pick<ModelLease, "name" | "engine" | "loadMilliseconds"> {
    return this.#lease;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<AnswerEvent> {
    try {
      const told = this.#sources.flatMap(({ progress, choice }) => progress?.events(choice) ?? []);
      for await (const event of mergeEvents([...told, ...this.#sources.map(eventsOf)])) {
        if (event.kind === "end") this.#context.metrics.countAnswer(this.#lease.name, event.result);
        yield event;
      }
    } finally {
      this[Symbol.dispose]();
    }
  }

  /** What the model read for an answer, with control tokens by their names; of a conversation nothing. */
  promptText(choice: number): Promise<string> {
    const prompt = this.#prompts[Math.floor((choice * this.#prompts.length) / this.choices)];
    return prompt === undefined ? Promise.resolve("") : promptText(prompt, this.#lease.engine);
  }

  /** Counts and times of an answer until now. */
  soFar(choice: number): GenerationProgress {
    const source = this.#sources[choice];
    if (source === undefined) throw new RangeError(`there is no choice ${choice}`);
    return source.generation.soFar;
  }

  /** All of them, in the order of their choices. */
  async whole(): Promise<readonly WholeAnswer[]> {
    const tokens: AnswerToken[][] = this.#sources.map(() => []);
    const answers: WholeAnswer[] = [];
    for await (const event of this) {
      const { choice } = event;
      const own = tokens[choice] ?? [];
      if (event.kind === "end") answers[choice] = { choice, tokens: own, result: event.result };
      else if (event.token !== undefined) own.push(event.token);
    }
    return answers;
  }

  [Symbol.dispose](): void {
    for (const { generation } of this.#sources) generation.abort();
    this.#lease[Symbol.dispose]();
  }
}

function generate(
  { name, engine }: ModelLease,
  request: AnswerRequest & { readonly prompts: readonly ReadyPrompt[] },
  signal: AbortSignal,
): readonly AnswerSource[] {
  const { prompts, count = 1, options, watch } = request;
  const { oneCall = false, tellsProgress = false } = request;
  const sources: AnswerSource[] = [];
  const own = { ...withinContext(options, engine.contextLength), signal };
  try {
    for (const prompt of prompts) {
      for (let i = 0; i < count; i++) {
        const progress = tellsProgress ? new PromptProgress() : undefined;
        const onPromptProgress = (done: number, total: number): void =>
          progress?.note(done, total, generation.soFar);
        const looker = sources.length === 0 ? watch : undefined;
        const generation = begin(engine, prompt, {
          ...withSeed(own, i),
          ...(progress && { onPromptProgress }),
          ...(looker && { showNeurons: looker.begin(name, engine) }),
        });
        sources.push({ generation, progress, choice: sources.length, oneCall });
        if (looker !== undefined) endWith(generation, looker);
      }
    }
    return sources;
  } catch (error) {
    for (const { generation } of sources) generation.abort();
    throw error;
  }
}

function endWith({ result }: Generation | ChatGeneration, watch: NeuronWatch): void {
  result.then(
    ({ tokens }) => watch.end(tokens),
    () => watch.end([]),
  );
}

function begin(
  engine: Engine,
  prompt: ReadyPrompt,
  options: GenerateOptions,
): Generation | ChatGeneration {
  switch (prompt.kind) {
    case "messages":
      return engine.chat(prompt.messages, {
        ...options,
        ...(prompt.template && { template: prompt.template }),
        ...(prompt.tools && { tools: prompt.tools }),
        ...(prompt.toolChoice && { toolChoice: prompt.toolChoice }),
      });
    case "text":
      return engine.generate(prompt.text, {
        ...options,
        parseSpecial: prompt.parseSpecial ?? false,
      });
    case "tokens":
      return engine.generate(prompt.tokens, options);
    default:
      return prompt satisfies never;
  }
}

/** Penalties look no further back than the context, whose length a client need not know. */
function withinContext(options: AnswerOptions, contextLength: number): AnswerOptions {
  const { penaltyWindow, dryPenaltyLastN } = options;
  const cut = (window: number | undefined): number | undefined =>
    window === undefined ? undefined : Math.min(window, contextLength);
  const windows = { penaltyWindow: cut(penaltyWindow), dryPenaltyLastN: cut(dryPenaltyLastN) };
  return { ...options, ...defined(windows) };
}

/** Several answers to one prompt with one seed would all be the same. */
function withSeed<Options extends { readonly seed?: number }>(
  options: Options,
  i: number,
): Options {
  const { seed } = options;
  return seed === undefined || i === 0 ? options : { ...options, seed: (seed + i) % 2 ** 32 };
}

async function* eventsOf({
  generation,
  choice,
  oneCall,
  progress,
}: AnswerSource): AsyncGenerator<AnswerEvent> {
  for await (const chunk of generation) {
    progress?.end();
    const { text, token: id, logprob, topLogprobs, promptLogprobs } = chunk;
    const reply = "events" in chunk ? untilCall(chunk.events, oneCall) : undefined;
    const scores = logprob === undefined ? {} : { logprob, ...(topLogprobs && { topLogprobs }) };
    const token = id === undefined ? {} : { token: { id, ...scores } };
    const prompt = promptLogprobs && { promptLogprobs };
    yield { kind: "delta", choice, text, ...token, ...prompt, ...(reply && { reply }) };
    if (oneCall && reply?.at(-1)?.kind === "call-end") break;
  }
  progress?.end();
  const result: AnswerResult = await generation.result;
  const { reply } = result;
  const isCut = oneCall && reply !== undefined;
  const own = isCut ? { reply: { ...reply, toolCalls: reply.toolCalls.slice(0, 1) } } : {};
  yield { kind: "end", choice, result: { ...result, ...own } };
}

function untilCall(events: readonly ReplyEvent[], oneCall: boolean): readonly ReplyEvent[] {
  const end = oneCall ? events.findIndex(({ kind }) => kind === "call-end") : -1;
  return end < 0 ? events : events.slice(0, end + 1);
}
