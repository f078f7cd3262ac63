/** How one answer is to be written. */
import type { Tokens } from "../core/units.ts";
import type { TokenConstraint } from "./sampling/constraint.ts";
import type { SequenceBreakers } from "./sampling/dry.ts";
import type { ResolvedSampling } from "./sampling/sampling-options.ts";
import type { ShownTokens } from "./shown-tokens.ts";

export interface GenerationSettings {
  readonly sampling: ResolvedSampling;
  readonly maxTokens: Tokens;
  readonly stop: readonly string[];
  /** Ids that end the answer; empty when end tokens are to be ignored. */
  readonly endTokens: ReadonlySet<number>;
  /** The form that the answer keeps to; it begins in front of the first token. */
  readonly constraint?: TokenConstraint;
  /** For DRY. */
  readonly sequenceBreakers?: SequenceBreakers;
  /** How many alternatives to report with each token; undefined: none, and no log-probability. */
  readonly logprobs?: number;
  /** Whose these are: the model's, or what the samplers left of them to draw from. Default "model". */
  readonly logprobsOf?: "model" | "sampler";
  /** Whether the prompt's tokens are reported, too, where `logprobs` is given. */
  readonly promptLogprobs?: boolean;
  /** Whether what is held of the prompt's beginning need not be read again. Default true. */
  readonly cachePrompt?: boolean;
  /** What to do when the context is full. */
  readonly whenFull: "finish" | "shift";
  readonly vocabulary: number;
  /** Of answers that wait, those of a higher one come first. Default 0. */
  readonly priority?: number;
  readonly onPromptProgress?: (done: Tokens, total: Tokens) => void;
  readonly onQueued?: (place: number) => void;
  /** Somebody looks at what its tokens are computed by. */
  readonly shown?: ShownTokens;
}
