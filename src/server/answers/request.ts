/**
 * The one form between dialects and engine: a dialect turns a body into an `AnswerRequest`, and the events of its answers
 * into what its clients expect. What an engine does not know of HTTP, a dialect does not know of engines.
 */
import type {
  ChatMessage,
  ChatResult,
  ChatTemplateOptions,
  GenerateOptions,
  GenerationResult,
  PromptToken,
  ReplyEvent,
  TokenLogprob,
  Tool,
  ToolChoice,
} from "../../index.ts";
import type { NeuronWatch } from "../neurons/watches.ts";
import type { MixedPrompt } from "./prompt-field.ts";
import type { ProgressOfPrompt } from "./prompt-progress.ts";

export type AnswerPrompt =
  | {
      readonly kind: "messages";
      readonly messages: readonly ChatMessage[];
      readonly template?: Omit<ChatTemplateOptions, "tools">;
      /** Functions that the model may call. */
      readonly tools?: readonly Tool[];
      /** Default "auto". */
      readonly toolChoice?: ToolChoice;
    }
  /** `parseSpecial`: control tokens that are written out become those tokens. */
  | { readonly kind: "text"; readonly text: string; readonly parseSpecial?: boolean }
  | { readonly kind: "tokens"; readonly tokens: readonly number[] }
  /** Token ids with texts between them. */
  | { readonly kind: "mixed"; readonly pieces: MixedPrompt; readonly parseSpecial: boolean }
  /** The middle of a text. */
  | { readonly kind: "fill-in"; readonly around: Surroundings };

/** Where a text is filled in. */
export interface Surroundings {
  readonly prefix: string;
  readonly suffix: string;
  /** What the middle begins with. */
  readonly begun: string;
  /** Of the project that the text is from. */
  readonly files: readonly { readonly name: string; readonly text: string }[];
}

/** Of a conversation's answer, what it says besides: thoughts, content and calls told apart. */
export type AnswerResult = GenerationResult & Partial<Pick<ChatResult, "reply">>;

/** What of `GenerateOptions` a request may say; the rest is the server's. */
export type AnswerOptions = Omit<
  GenerateOptions,
  "signal" | "onPromptProgress" | "onQueued" | "parseSpecial" | "showNeurons"
>;

export interface AnswerRequest {
  /** As the client named it; undefined: the only one that is served. */
  readonly model: string | undefined;
  /** At least one. Their answers are written at the same time, as far as there are places. */
  readonly prompts: readonly AnswerPrompt[];
  /** Answers to each prompt. Default 1. With a seed, the i-th uses seed + i. */
  readonly count?: number;
  readonly options: AnswerOptions;
  /** An answer ends behind its first call of a tool. Default false. */
  readonly oneCall?: boolean;
  /** Whether events tell how far prompts are read. Default false. */
  readonly tellsProgress?: boolean;
  /** Looks at the first answer. */
  readonly watch?: NeuronWatch | undefined;
  /** How long the model stays loaded afterwards, in milliseconds; Infinity: for ever. Default: the server's. */
  readonly keepAlive?: number;
}

/** One token of an answer. */
export interface AnswerToken {
  readonly id: number;
  /** Present when log-probabilities were asked for. */
  readonly logprob?: number;
  readonly topLogprobs?: readonly TokenLogprob[];
}

export type AnswerEvent =
  /** Text that became certain; may be empty in the middle of a character. `token` is absent where only held-back text comes. */
  | {
      readonly kind: "delta";
      readonly choice: number;
      readonly text: string;
      readonly token?: AnswerToken;
      /** On the first one, where the prompt's tokens are reported. */
      readonly promptLogprobs?: readonly PromptToken[];
      /** Of a conversation's answer: what became certain with this token. */
      readonly reply?: readonly ReplyEvent[];
      /** On one without a token, where it is reported. */
      readonly progress?: ProgressOfPrompt;
    }
  | { readonly kind: "end"; readonly choice: number; readonly result: AnswerResult };

/** A whole answer, for clients that take no stream. */
export interface WholeAnswer {
  readonly choice: number;
  readonly tokens: readonly AnswerToken[];
  readonly result: AnswerResult;
}
