/** What `Engine.open` and `generate` accept, and the defaults. option-rules.ts judges the values. */
import type { LoadProgress } from "../backends/backend.ts";
import type { HugePageUse } from "../backends/machine-rules.ts";
import type { Bytes, Tokens } from "../core/units.ts";
import type { KvType } from "../ops/kv-shape.ts";
import type { Objective } from "../placement/problem.ts";
import type { SamplingOptions } from "../runtime/sampling/sampling-options.ts";
import type { ShownToken } from "../runtime/shown-tokens.ts";
import type { Sparsity } from "../sparsity/method.ts";
import type { ChatTemplateOptions } from "../text/chat-template.ts";
import type { Tool } from "../text/replies/tool.ts";
import type { ToolChoice } from "./promised-call.ts";
import type { FormOptions } from "./promised-form.ts";

/**
 * "gpu": the whole model on a graphics card. "hybrid": its hot neurons there, the rest on the CPU, both at once.
 * "auto" takes the fastest device there is and says which (Engine.notices).
 */
export type Device = "auto" | "cpu" | "gpu" | "hybrid" | "reference";

/** `Engine.neurons` has what does not change from token to token. */
export interface ShowNeurons {
  /** Called between two steps, before the token is given out: what it does holds up the answer. What it throws ends that. */
  readonly onToken: (token: ShownToken) => void;
  /**
   * Share of the time of writing, 0 to 1, that showing may take: where it took more, tokens are left out (`skipped`).
   * Default 0.1; 1 shows every token, but those that need no sampling, and the first.
   */
  readonly timeShare?: number;
}

export type PromptStream = "auto" | "always" | "never";

export interface EngineOptions {
  /**
   * Tokens of prompt and answer together. Default: the model's, at most 4096. "largest": the model's, or as many as fit
   * beside the weights for all sequences into the memory of the device, the card's `vramBudget` included; Engine.contextLength says how many that are.
   */
  readonly contextLength?: Tokens | "largest";
  /** Answers that can be written at the same time; each has a KV cache of its own. Default 1. */
  readonly sequences?: number;
  /** Answers that may wait for a sequence: one more fails with QueueFullError. Default: any number. */
  readonly maxQueue?: number;
  /**
   * Checkpoints of each sequence, for models with layers that cannot go back by themselves (windows, recurrent states):
   * an earlier turn that is asked again reads only what comes after one. Each takes as much memory as such layers do.
   * Default: as many as take no more than the sequence's own cache, 2 to 8.
   */
  readonly checkpoints?: number;
  /**
   * Memory for conversations that left their sequences to others: what was read of them is not read again, whichever comes
   * back, and beginnings that they share are kept once. The oldest are forgotten. Default 0: the sequences alone remember;
   * with `cacheDisk` 256 MiB.
   */
  readonly cacheRam?: Bytes;
  /**
   * Memory of this process that others hold or will write to, such as other engines' caches: a `contextLength` of "largest"
   * leaves it to them. The system counts what was not written to yet as free. Default 0.
   */
  readonly heldByOthers?: Bytes;
  /**
   * A folder in which those conversations outlive the engine: it is made where there is none, and several processes and
   * models may share it. Default: none.
   */
  readonly cacheDisk?: string;
  /** The most that is kept there, of all models together; what was used longest ago is removed. Default 4 GiB. */
  readonly cacheDiskSize?: Bytes;
  /** Rows of a step at most: how much of a prompt is read at once. Default 128; 2048 where prompts always stream, up to that where they do by the plan. */
  readonly batchSize?: Tokens;
  /**
   * When the weights of cold neurons and experts come to the card for a prompt, once for each step, for device hybrid: it then
   * computes all of split layers. "auto" (default): from as many rows on as that is faster, as measured; "always", "never".
   */
  readonly promptStream?: PromptStream;
  /**
   * Tokens of prompts that are read in a step beside answers that are being written, which wait so long for their next
   * token. Default: as many as take no longer than the answers' own part of a step, or than what is left of 40 ms.
   */
  readonly promptSlice?: Tokens;
  /** Default: the physical cores this process may use, without efficiency cores. */
  readonly threads?: number;
  /**
   * Whether weights are mapped from the file: nothing is copied, and the file must not change while the engine is open.
   * False reads them into memory once. Default true.
   */
  readonly mmap?: boolean;
  /**
   * When mapped weights of the processor are copied into huge pages, which it reads faster: Linux alone, and only where three
   * times their bytes are available. "background" (default): by a tenth of a core while the model is used already; "before":
   * before the engine is open; "never".
   */
  readonly hugePages?: HugePageUse;
  /**
   * Multiply quantised weights with unrounded inputs on the CPU, as a GPU does. Default false: inputs are rounded to eight
   * bits, as in llama.cpp, which is several times faster and moves log-probabilities by up to some 3e-2.
   */
  readonly exact?: boolean;
  /** Keep the weights in physical memory, so that the system never swaps or drops them. Default false. */
  readonly mlock?: boolean;
  readonly device?: Device;
  /**
   * What becomes of an engine whose graphics card is lost. The answers of that moment reject with a DeviceError either
   * way. "cpu": the next answer waits until the model is opened again on the CPU. "fail" (default): later answers reject
   * too, until `Engine.reopen`.
   */
  readonly onDeviceLost?: "cpu" | "fail";
  /** Which graphics adapter: its number in `diagnose`, or part of its name. Default: the first hardware adapter. */
  readonly gpu?: number | string;
  /** Most bytes to take of the card's memory. Default: nine tenths of it, where it is known. */
  readonly vramBudget?: Bytes;
  /**
   * What the planner knows of this machine, for device hybrid: a profile's file or a described card. Default: measured
   * once and kept.
   */
  readonly hardware?: string;
  /** "latency" (default) places neurons for the least predicted time, "paper" the most activations on the GPU; for device hybrid. */
  readonly objective?: Objective;
  /**
   * A plan that `hearth plan --json` wrote, for device hybrid (auto takes that then). Default: the best one, made now or
   * kept from before.
   */
  readonly plan?: string;
  /** Keep a timeline of every step, for device hybrid. Default false. */
  readonly timeline?: boolean;
  /** Count which neurons the answers use, for `Engine.learnAndClose`. Default false. */
  readonly learn?: boolean;
  /** Exchange neurons between GPU and CPU while nothing runs, or experts between steps, for device hybrid. Default false. */
  readonly adapt?: boolean;
  /** Precision of the KV cache. Default f16. */
  readonly cacheType?: KvType;
  /** Which neurons are computed. Default "auto": the best of what is known about the model; Engine.notices says why. */
  readonly sparsity?: Sparsity;
  /** What hearth has learnt about the model. Default: the file beside the model, if there is one. */
  readonly sidecar?: string;
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Called with how many kernels the GPU's driver compiles while the model is loaded; a prompt may need a few more. */
  readonly onCompile?: (kernels: number) => void;
  readonly signal?: AbortSignal;
}

export interface ReopenOptions {
  /** Default: as the engine was opened first. Another one than that has no use for the options of a card. */
  readonly device?: Device;
}

/** Of an answer to a conversation. */
export interface ChatOptions extends GenerateOptions {
  /** Functions that the model may call; its calls are in the answer's events and in `result.reply`. Default: none. */
  readonly tools?: readonly Tool[];
  /**
   * "required": the answer is a call of one of the tools; { name }: of this one, with arguments that are valid against its
   * schema; FormError for a schema that cannot be kept. "none": the model is told of no tools. Default "auto".
   */
  readonly toolChoice?: ToolChoice;
  /** What the model's chat template is given beside the messages. */
  readonly template?: Omit<ChatTemplateOptions, "tools">;
}

export interface GenerateOptions extends SamplingOptions, FormOptions {
  /** Default: until the model ends the answer or the context is full. */
  readonly maxTokens?: Tokens;
  /** Texts that end the answer, control tokens by their names among them; they are not part of it. */
  readonly stop?: readonly string[];
  /** Tokens that end the answer, beside the model's own end tokens and also with `ignoreEos`; they are not part of it. */
  readonly stopTokens?: readonly number[];
  readonly signal?: AbortSignal;
  /** Report each token's log-probability and those of this many likeliest tokens. */
  readonly logprobs?: number;
  /** Whose `logprobs` are: the model's, or what the samplers and the promised form left to draw from. Default "model". */
  readonly logprobsOf?: "model" | "sampler";
  /**
   * With `logprobs`, report the prompt's tokens, too, in the first chunk and in the result. The prompt is then read a token
   * a step, as an answer is written. Default false.
   */
  readonly promptLogprobs?: boolean;
  /** False reads the whole prompt, whatever the cache holds of it. Default true. */
  readonly cachePrompt?: boolean;
  /** Go on after an end token. Default false. */
  readonly ignoreEos?: boolean;
  /** When the context is full, forget the older half and go on. Default false: the answer ends. */
  readonly contextShift?: boolean;
  /** Control tokens written out in the prompt become those tokens. Default false. */
  readonly parseSpecial?: boolean;
  /**
   * Of answers that wait for a sequence, and of prompts that are read in one step, those of a higher one come first; an
   * answer that 32 others have overtaken is overtaken no more. Default 0.
   */
  readonly priority?: number;
  readonly onPromptProgress?: (done: Tokens, total: Tokens) => void;
  /** Called with an answer's place in the queue when it must wait and when that changes: 1 is next, 0 is its turn. */
  readonly onQueued?: (place: number) => void;
  /** Shows what tokens are computed by: which neurons, or experts, and what was read. Absent: nothing is gathered. */
  readonly showNeurons?: ShowNeurons;
}
