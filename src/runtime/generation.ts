/**
 * One answer being written: what is still to be read of its prompt, its sampler, its text and why it ended.
 * The scheduler owns the step loop; a generation says which tokens it wants read and takes logits.
 */
import { callCaller } from "../core/call-caller.ts";
import { defined } from "../core/defined.ts";
import { NotFiniteError } from "../core/errors.ts";
import type { Milliseconds, Tokens } from "../core/units.ts";
import { ChunkQueue } from "./chunk-queue.ts";
import type { GenerationSettings } from "./generation-settings.ts";
import { PromptScores, type PromptToken } from "./prompt-scores.ts";
import type { TokenLogprob } from "./sampling/logprobs.ts";
import { Sampler } from "./sampling/sampler.ts";
import { certainScores, modelScores, type TokenScores } from "./sampling/token-scores.ts";
import { type ReleasedText, StopText } from "./stop-text.ts";

/** stop: an end token or a stop string. length: maxTokens. context: the context is full. abort: by the caller's signal. */
export type FinishReason = "stop" | "length" | "context" | "abort";

export interface GeneratedChunk {
  /** Text that became certain with this token; may be empty in the middle of a character or a stop string. */
  readonly text: string;
  /** The same with the control tokens between it, where there are any. */
  readonly written?: string;
  /** Absent on a last chunk that only brings text which was held back. */
  readonly token?: number;
  /** Present when `logprobs` was asked for. */
  readonly logprob?: number;
  readonly topLogprobs?: readonly TokenLogprob[];
  /** On a first chunk without a token, where they were asked for. */
  readonly promptLogprobs?: readonly PromptToken[];
}

export interface GenerationTimings {
  /** From the start of reading the prompt to the first token. */
  readonly promptMilliseconds: Milliseconds;
  /** From the first token to the last. */
  readonly decodeMilliseconds: Milliseconds;
  /** Tokens actually read, without those the cache already held. */
  readonly promptTokensPerSecond: number;
  readonly decodeTokensPerSecond: number;
}

export interface GenerationResult {
  readonly text: string;
  /** The text with control tokens written out. */
  readonly written: string;
  readonly tokens: readonly number[];
  readonly promptTokens: Tokens;
  /** Of the prompt's tokens, those whose keys and values were still in the cache. */
  readonly cachedTokens: Tokens;
  readonly completionTokens: Tokens;
  readonly finishReason: FinishReason;
  /** Present where they were asked for. */
  readonly promptLogprobs?: readonly PromptToken[];
  /** The stop string that ended it; absent where something else did. */
  readonly stopText?: string;
  readonly seed: number;
  readonly timings: GenerationTimings;
}

/** What is known of an answer before its end. */
export type GenerationProgress = Pick<
  GenerationResult,
  "promptTokens" | "cachedTokens" | "completionTokens" | "timings"
>;

interface Settle {
  readonly resolve: (result: GenerationResult) => void;
  readonly reject: (error: unknown) => void;
}

/** The text of one token after another; text/detokenizer.ts is one, which this room does not import. */
interface TokenTexts {
  push(token: number): string;
  hiddenText(token: number): string;
  end(): string;
}

export class ActiveGeneration {
  readonly kind = "answer";
  readonly settings: GenerationSettings;
  readonly chunks: ChunkQueue<GeneratedChunk>;
  readonly result: Promise<GenerationResult>;
  /** Tokens to be read next: the prompt's rest, then a sampled token and those that had to follow it. */
  readonly #pending: number[] = [];
  readonly #sampler: Sampler;
  #prompt: readonly number[];
  #detokenizer: TokenTexts;
  readonly #stopText: StopText;
  readonly #promptScores: PromptScores | undefined;
  readonly #tokens: number[] = [];
  readonly #settle: Settle;
  #pendingAt = 0;
  /** Whether what is pending is a prompt, or the context again. */
  #isReading = true;
  #contextLength: Tokens = 0;
  /** Tokens that must come next, from #forcedAt on. */
  #forced: readonly number[] = [];
  #forcedAt = 0;
  #text = "";
  #written = "";
  #cached = 0;
  #startedAt = 0;
  #firstTokenAt = 0;
  #lastTokenAt = 0;
  #finish: FinishReason | undefined;
  #queuePlace = 0;

  constructor(prompt: readonly number[], settings: GenerationSettings, detokenizer: TokenTexts) {
    this.#prompt = prompt;
    this.settings = settings;
    this.#detokenizer = detokenizer;
    this.#stopText = new StopText(settings.stop);
    const { promptLogprobs = false, logprobs } = settings;
    if (promptLogprobs && logprobs !== undefined) this.#promptScores = new PromptScores(logprobs);
    this.#sampler = new Sampler(settings.sampling, settings.vocabulary, settings);
    this.chunks = new ChunkQueue(() => this.abort());
    let settle: Settle | undefined;
    this.result = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    if (settle === undefined) throw new Error("a promise runs its executor at once");
    this.#settle = settle;
  }

  get prompt(): readonly number[] {
    return this.#prompt;
  }

  /** For a prompt that is known later, before this is submitted. `detokenizer`: begins after its last token. */
  setPrompt(prompt: readonly number[], detokenizer: TokenTexts): void {
    this.#prompt = prompt;
    this.#detokenizer = detokenizer;
  }

  get isFinished(): boolean {
    return this.#finish !== undefined;
  }

  /** Whether every token of the prompt is to be read, whatever is held of it. */
  get readsAll(): boolean {
    return this.settings.cachePrompt === false || this.#promptScores !== undefined;
  }

  get priority(): number {
    return this.settings.priority ?? 0;
  }

  /** 1 for the next one of those that wait; 0 for one that does not. */
  get queuePlace(): number {
    return this.#finish === undefined ? this.#queuePlace : 0;
  }

  /** Its place among those that wait is now this; 0: its turn has come. What the callback throws ends this answer. */
  noteQueued(place: number): void {
    if (place === this.#queuePlace) return;
    this.#queuePlace = place;
    const { onQueued } = this.settings;
    if (onQueued === undefined || this.#finish !== undefined) return;
    callCaller(
      () => onQueued(place),
      (error) => this.fail(error),
    );
  }

  /** Tokens waiting to be read. */
  get pendingCount(): number {
    return this.#pending.length - this.#pendingAt;
  }

  /** Whether it has a first token. */
  get hasBegun(): boolean {
    return this.#tokens.length > 0;
  }

  /** Whether it goes on from what was written last; else it reads its prompt, or its context again. */
  get isAnswering(): boolean {
    const isWritten = !this.#isReading || this.pendingCount === 1;
    return this.#finish === undefined && this.#tokens.length > 0 && isWritten;
  }

  /** Begins: `cached` tokens at the beginning of the prompt need not be read again. */
  start(cached: Tokens, contextLength: Tokens): void {
    this.#cached = cached;
    this.#contextLength = contextLength;
    this.#startedAt = performance.now();
    for (const token of this.prompt) this.#sampler.observe(token);
    this.readAgain(this.#promptScores?.begin(this.prompt) ?? this.prompt.slice(cached));
  }

  /** Queues tokens to be read before the next one is sampled. */
  readAgain(tokens: readonly number[]): void {
    this.#pending.length = 0;
    this.#pendingAt = 0;
    this.#isReading = true;
    // One by one: arguments of a call have a limit that prompts do not.
    for (const token of tokens) this.#pending.push(token);
  }

  /** The next token to read. If none is left after it, its logits are wanted. */
  takePending(): number {
    const token = this.#pending[this.#pendingAt] ?? 0;
    this.#pendingAt++;
    return token;
  }

  /** What the callback throws, or rejects with, ends this answer. */
  reportPromptProgress(): void {
    const { onPromptProgress } = this.settings;
    if (onPromptProgress === undefined || this.#tokens.length > 0 || this.isFinished) return;
    const { length } = this.prompt;
    const begun = this.#promptScores?.tokens.length ?? length;
    callCaller(
      () => onPromptProgress(begun - this.pendingCount, length),
      (error) => this.fail(error),
    );
  }

  /** How many of the largest logits decide the next token: 1 for a greedy answer, Infinity if it needs all. */
  get decidingLogits(): number {
    const wantsScores = this.settings.logprobs !== undefined;
    return wantsScores ? Number.POSITIVE_INFINITY : this.#sampler.decidingLogits;
  }

  /** Publishes the likeliest token as the next one. @throws NotFiniteError if `token` is undefined. */
  acceptBest(token: number | undefined): void {
    if (this.#finish !== undefined) return;
    if (this.settings.maxTokens === 0) this.finish("length");
    else this.#publish(token, undefined);
  }

  /** Samples the next token from (id, logit) pairs of the `decidingLogits` largest or more, sorted, and publishes it. */
  acceptLargest(pairs: Float32Array): void {
    if (this.#finish !== undefined) return;
    if (this.settings.maxTokens === 0) this.finish("length");
    else this.#publish(this.#sampler.sampleLargest(pairs), undefined);
  }

  /**
   * Samples the next token from `logits` [vocabulary] (changed in place) and publishes it.
   * @throws NotFiniteError if a logit is not a number, OptionError if biases and penalties leave no token to choose,
   * HearthError if the promised form allows none.
   */
  accept(logits: Float32Array): void {
    if (this.#finish !== undefined) return;
    if (this.#tokens.length === 0 && this.#readsOn(logits)) return;
    if (this.settings.maxTokens === 0) {
      this.finish("length");
      return;
    }
    const scoresOf = this.#scorer(logits);
    const forced = this.#takeForced();
    const token = forced ?? this.#sampler.sample(logits);
    this.#publish(token, scoresOf?.(token ?? 0, forced !== undefined));
    if (scoresOf === undefined) this.#publishForced();
  }

  /** What of it is written; of one that has ended the whole. */
  get soFar(): GenerationProgress {
    const firstAt = this.#firstTokenAt || performance.now();
    const promptMilliseconds = firstAt - (this.#startedAt || firstAt);
    const decodeMilliseconds = Math.max(0, this.#lastTokenAt - firstAt);
    return {
      promptTokens: this.prompt.length,
      cachedTokens: this.#cached,
      completionTokens: this.#tokens.length,
      timings: {
        promptMilliseconds,
        decodeMilliseconds,
        promptTokensPerSecond: perSecond(this.prompt.length - this.#cached, promptMilliseconds),
        decodeTokensPerSecond: perSecond(this.#tokens.length - 1, decodeMilliseconds),
      },
    };
  }

  /** Ends the answer; it fails instead where the text that was held back cannot be given out. */
  finish(reason: FinishReason): void {
    if (this.#finish !== undefined) return;
    let rest: ReleasedText;
    try {
      const certain = this.#stopText.push(this.#detokenizer.end());
      const held = this.#stopText.end();
      rest = { shown: certain.shown + held.shown, written: certain.written + held.written };
    } catch (error) {
      this.fail(error);
      return;
    }
    this.#finish = reason;
    this.#startedAt ||= performance.now();
    this.#text += rest.shown;
    this.#written += rest.written;
    if (rest.written !== "") this.chunks.push(chunkOf(rest));
    this.chunks.close();
    this.#settle.resolve(this.#summary(reason));
  }

  abort(): void {
    this.finish("abort");
  }

  fail(error: unknown): void {
    if (this.#finish !== undefined) return;
    this.#finish = "abort";
    this.chunks.fail(error);
    this.#settle.reject(error);
    // The reader of `chunks` sees the error; and a process must not crash because nobody looks at `result`.
    this.result.catch(() => undefined);
  }

  /** Scores the token that will be chosen by `logits`, which change meanwhile; undefined where no scores are wanted. */
  #scorer(logits: Float32Array): ((token: number, isForced: boolean) => TokenScores) | undefined {
    const { logprobs, logprobsOf = "model" } = this.settings;
    if (logprobs === undefined) return undefined;
    if (logprobsOf === "model") return modelScores(logits, logprobs);
    return (token, isForced) =>
      isForced ? certainScores(token, logprobs) : this.#sampler.drawn(token, logprobs);
  }

  #publish(token: number | undefined, scores: TokenScores | undefined): void {
    if (token === undefined) throw new NotFiniteError(this.prompt.length + this.#tokens.length);
    this.settings.shown?.publish(token, this.#tokens.length, this);
    this.#lastTokenAt = performance.now();
    if (this.#tokens.length === 0) this.#firstTokenAt = this.#lastTokenAt;
    if (this.settings.endTokens.has(token)) {
      this.finish("stop");
      return;
    }
    this.#sampler.accept(token);
    this.#tokens.push(token);
    const shown = this.#detokenizer.push(token);
    const released = this.#stopText.push(shown, this.#detokenizer.hiddenText(token));
    this.#text += released.shown;
    this.#written += released.written;
    this.chunks.push({ ...chunkOf(released), token, ...scores });
    if (this.#stopText.found !== undefined || this.#sampler.isDone) this.finish("stop");
    else if (this.#tokens.length >= this.settings.maxTokens) this.finish("length");
    else this.#readNext(token);
  }

  /** Tokens that need no sampling are read in one step with the one before, unless their scores are asked for. */
  #publishForced(): void {
    const { whenFull } = this.settings;
    while (this.#finish === undefined) {
      const length = this.prompt.length + this.#tokens.length;
      // The context is full: what is said one by one ends here, too.
      if (whenFull === "finish" && length > this.#contextLength) return;
      const token = this.#takeForced();
      if (token === undefined) return;
      this.#publish(token, undefined);
    }
  }

  /** The next token that must come whatever the logits say; undefined where there is a choice. */
  #takeForced(): number | undefined {
    if (this.#forcedAt >= this.#forced.length) {
      this.#forced = this.#sampler.forced();
      this.#forcedAt = 0;
    }
    return this.#forced[this.#forcedAt++];
  }

  /** Whether a prompt whose tokens are reported has a next one, which is read then. */
  #readsOn(logits: Float32Array): boolean {
    const scores = this.#promptScores;
    const next = scores?.accept(logits);
    if (next !== undefined) this.readAgain([next]);
    else if (scores) this.chunks.push({ text: "", promptLogprobs: scores.tokens });
    return next !== undefined;
  }

  #readNext(token: number): void {
    if (this.pendingCount === 0) {
      this.#pending.length = 0;
      this.#pendingAt = 0;
    }
    this.#isReading = false;
    this.#pending.push(token);
  }

  #summary(finishReason: FinishReason): GenerationResult {
    return {
      text: this.#text,
      written: this.#written,
      tokens: this.#tokens,
      ...this.soFar,
      finishReason,
      ...defined({ promptLogprobs: this.#promptScores?.tokens, stopText: this.#stopText.found }),
      seed: this.settings.sampling.seed,
    };
  }
}

function chunkOf({ shown, written }: ReleasedText): Pick<GeneratedChunk, "text" | "written"> {
  return shown === written ? { text: shown } : { text: shown, written };
}

function perSecond(count: number, milliseconds: Milliseconds): number {
  return milliseconds > 0 ? (Math.max(0, count) * 1000) / milliseconds : 0;
}
