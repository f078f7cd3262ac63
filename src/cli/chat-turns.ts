/** What a chat remembers: its turns, as many of the newest as the context holds beside room for the next answer. */
import {
  type ChatMessage,
  type Engine,
  type GenerateOptions,
  type GenerationResult,
  HearthError,
  LimitError,
} from "../index.ts";

/** Writes one answer; the conversation so far is its prompt. */
export type WriteAnswer = (messages: readonly ChatMessage[]) => Promise<WrittenAnswer>;

export interface WrittenAnswer {
  readonly result: Pick<GenerationResult, "finishReason" | "promptTokens" | "completionTokens">;
  /** Without thoughts. */
  readonly text: string;
  readonly between: readonly ChatMessage[];
}

export interface ChatTurnsOptions {
  readonly engine: Pick<Engine, "contextLength" | "tokenize">;
  /** A message that is never forgotten. */
  readonly system: string | undefined;
  readonly maxTokens: GenerateOptions["maxTokens"];
  /** For what was forgotten. */
  readonly remark: (sentence: string) => void;
  /** For a question that cannot be answered. */
  readonly say: (sentence: string) => void;
  /** Of a chat that goes on. Default: none. */
  readonly before?: readonly Turn[];
}

export interface Turn {
  readonly question: string;
  readonly answer: string;
  /** Calls of functions and their results, which came before the answer. */
  readonly between?: readonly ChatMessage[];
}

/** Share of the context that an answer should find free: less is an answer that ends as soon as it began. */
const roomShare = 0.25;
/** Marks of a chat template around a message: those of llama 3 and ChatML are 4 to 6 tokens. */
const tokensAround = 6;

export class ChatTurns {
  readonly #options: ChatTurnsOptions;
  #turns: readonly Turn[] = [];

  constructor(options: ChatTurnsOptions) {
    this.#options = options;
    this.#turns = options.before ?? [];
  }

  /** Those that are remembered, the oldest first. */
  get turns(): readonly Turn[] {
    return this.#turns;
  }

  clear(): void {
    this.#turns = [];
  }

  /** A question that cannot be answered is said and not remembered. @throws what is no fault of the question. */
  async take(question: string, write: WriteAnswer): Promise<void> {
    const { engine, maxTokens, remark, say } = this.#options;
    const room = Math.min(maxTokens ?? Number.POSITIVE_INFINITY, engine.contextLength * roomShare);
    this.#forgetUntil((turns) => this.#tokens(turns, question) + room <= engine.contextLength);
    for (;;) {
      try {
        const { result, text, between } = await write(this.#messages(question));
        const calls = between.length > 0 ? { between } : {};
        this.#turns = [...this.#turns, { question, answer: text, ...calls }];
        if (isCutShort(result, { engine, maxTokens })) remark(cutShort);
        return;
      } catch (error) {
        if (!(error instanceof HearthError)) throw error;
        if (error instanceof LimitError && this.#turns.length > 0) {
          // The template's own words took more than was reckoned with.
          const left = this.#turns.length - 1;
          this.#forgetUntil((turns) => turns.length <= left);
        } else {
          say(error.message);
          return;
        }
      }
    }
  }

  #forgetUntil(fits: (turns: readonly Turn[]) => boolean): void {
    const before = this.#turns.length;
    while (this.#turns.length > 0 && !fits(this.#turns)) this.#turns = this.#turns.slice(1);
    const forgotten = before - this.#turns.length;
    if (forgotten === 0) return;
    const what = forgotten === 1 ? "the oldest turn is" : `the ${forgotten} oldest turns are`;
    this.#options.remark(`the context is full: ${what} forgotten`);
  }

  #messages(question: string, turns: readonly Turn[] = this.#turns): readonly ChatMessage[] {
    const { system } = this.#options;
    return [
      ...(system === undefined ? [] : [{ role: "system", content: system } as const]),
      ...turns.flatMap(({ question: asked, answer, between = [] }) => [
        { role: "user", content: asked },
        ...between,
        { role: "assistant", content: answer },
      ]),
      { role: "user", content: question },
    ];
  }

  /** About as many as the prompt will have. */
  #tokens(turns: readonly Turn[], question: string): number {
    const { engine } = this.#options;
    const counts = this.#messages(question, turns).map(
      (message) => engine.tokenize(textOf(message), { addBos: "never" }).length + tokensAround,
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }
}

const cutShort =
  "the context is full: the answer ends here; --context gives more room, --context-shift goes on without the beginning";

/** All that a template writes of it, more or less. */
function textOf({ content, tool_calls: calls }: ChatMessage): string {
  const text = typeof content === "string" ? content : "";
  return calls ? `${text}${JSON.stringify(calls)}` : text;
}

/** Whether the context ended the answer, and not what was asked for. */
function isCutShort(
  { finishReason, promptTokens, completionTokens }: WrittenAnswer["result"],
  { engine, maxTokens }: Pick<ChatTurnsOptions, "engine" | "maxTokens">,
): boolean {
  const isLong = promptTokens + completionTokens >= engine.contextLength;
  return finishReason === "length" && isLong && completionTokens !== maxTokens;
}
