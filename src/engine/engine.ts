/**
 * The public face: open a model, write answers, close it. The work is done by the scheduler, the session and the
 * backend; this file only brings them together.
 */
import { checkOptions, checkValue, pathRule } from "../core/check-options.ts";
import { HearthError } from "../core/errors.ts";
import type { Milliseconds, Tokens } from "../core/units.ts";
import type { ModelDescription } from "../model/describe.ts";
import type { Plan } from "../placement/plan.ts";
import type { Activity } from "../runtime/activity.ts";
import { ActiveGeneration, type GenerationResult } from "../runtime/generation.ts";
import { Generation } from "../runtime/generation-stream.ts";
import type { ChatMessage } from "../text/chat-message.ts";
import {
  type ChatTemplateOptions,
  checkTemplateOptions,
  type PromptIds,
} from "../text/chat-template.ts";
import { begunText } from "../text/render-begun.ts";
import { BreakerFinder } from "../text/sequence-breakers.ts";
import type { EncodeOptions, Tokenizer } from "../text/tokenizer.ts";
import { generationSettings } from "./answer-settings.ts";
import { ChatGeneration, contentIn } from "./chat-generation.ts";
import {
  checkSaveState,
  forgetConversation,
  type LoadedState,
  loadConversation,
  type SavedState,
  type SaveStateOptions,
  saveConversation,
} from "./conversation-state.ts";
import { checkEmbedOptions, type Embedding, type EmbedOptions, embedTexts } from "./embed.ts";
import type { LearnReport } from "./learn.ts";
import { type NeuronFacts, neuronFacts } from "./neuron-facts.ts";
import type { OpenedModel } from "./open.ts";
import {
  checkChatOptions,
  checkGenerateOptions,
  checkReopenOptions,
  engineRules,
} from "./option-rules.ts";
import type { ChatOptions, EngineOptions, GenerateOptions, ReopenOptions } from "./options.ts";
import { planAnswer } from "./promised-call.ts";
import {
  type BoundAnswer,
  type FormSchema,
  Forms,
  type ReadValue,
  type SchemaValue,
} from "./promised-form.ts";
import { type Prompt, promptIds, whenReady } from "./prompt-ids.ts";
import { type EngineReport, engineReport, engineTimeline } from "./report.ts";
import { RunningModel } from "./running-model.ts";
import { type SparsityReport, sparsityReport } from "./sparsity-report.ts";

export class Engine implements Disposable {
  readonly model: ModelDescription;
  readonly tokenizer: Tokenizer;
  readonly #running: RunningModel;
  readonly #forms: Forms;
  readonly #breakers: BreakerFinder;
  /** Answers whose long prompts are being encoded. */
  readonly #encoding = new Set<ActiveGeneration>();
  #isClosed = false;

  private constructor(running: RunningModel) {
    this.#running = running;
    this.model = running.opened.description;
    this.tokenizer = running.opened.tokenizer;
    this.#forms = new Forms(this.tokenizer);
    this.#breakers = new BreakerFinder(this.tokenizer);
  }

  /**
   * Opens a GGUF model (the first part of a split one). Weights are mapped, not copied.
   * @throws FileFormatError, UnsupportedError, OptionError, LimitError or DeviceError, each saying what to do.
   */
  static async open(path: string, options: EngineOptions = {}): Promise<Engine> {
    checkOptions(options, engineRules, "engine");
    return new Engine(await RunningModel.open(path, options));
  }

  /** For people: "cpu (avx512, 2 threads)". */
  get device(): string {
    return this.#opened.backend.description;
  }

  /** What the user should know: a slower path that was taken, a card that was lost, something odd in the file. One sentence each. */
  get notices(): readonly string[] {
    return this.#running.notices;
  }

  /** How it runs, where nobody dictated it: the method of sparsity and why, what was made at load. One sentence each. */
  get details(): readonly string[] {
    return this.#opened.details;
  }

  /** Of the last time it was opened. */
  get loadMilliseconds(): Milliseconds {
    return this.#opened.loadMilliseconds;
  }

  /** Tokens of prompt and answer together. */
  get contextLength(): Tokens {
    return this.#opened.session.cache.contextLength;
  }

  /** Answers that can be written at the same time. */
  get sequences(): number {
    return this.#opened.session.cache.sequences;
  }

  /** Why every answer fails until the model is opened again (`reopen`); undefined where they do not. */
  get failure(): unknown {
    return this.#isClosed ? undefined : this.#running.failure;
  }

  tokenize(text: string | Uint8Array, options: EncodeOptions = {}): number[] {
    return this.tokenizer.encode(text, options);
  }

  detokenize(tokens: Iterable<number>): string {
    return this.tokenizer.decode(tokens);
  }

  /**
   * Continues a text (its bytes, if it is no string), or token ids, which are taken as they are. Starts at once; iterate over it, or await `result`.
   * A text of more than 32,768 characters is encoded with pauses for other work.
   * @throws OptionError for options out of range. All else comes through the answer, which rejects: with LimitError for a
   * prompt longer than the context, with QueueFullError where `maxQueue` answers wait already.
   */
  generate<const Schema extends FormSchema>(
    prompt: Prompt,
    options: GenerateOptions & { readonly schema: Schema },
  ): Generation<SchemaValue<Schema>>;
  generate(
    prompt: Prompt,
    options?: GenerateOptions & { readonly schema?: undefined },
  ): Generation<string>;
  generate(prompt: Prompt, options: GenerateOptions): Generation;
  generate(prompt: Prompt, options: GenerateOptions = {}): Generation {
    this.#checkOpen();
    checkGenerateOptions(options);
    const { tokenizer } = this;
    const { vocabulary } = this.model;
    const { parseSpecial = false } = options;
    const ids = promptIds(prompt, "prompt", { tokenizer, vocabulary }, { parseSpecial });
    const wrap = (active: ActiveGeneration, read: ReadValue): Generation =>
      new Generation(active, options.signal, read);
    return this.#answer(ids, options, wrap);
  }

  /**
   * A vector for each text, in their order, of what the model knows about it. Texts are read as prompts are: as many at once
   * as there are sequences, beside answers.
   * @throws OptionError; LimitError for a text longer than the context, before any is read. Rejects as answers do, and with
   * the signal's reason.
   */
  async embed(texts: readonly Prompt[], options: EmbedOptions = {}): Promise<readonly Embedding[]> {
    this.#checkOpen();
    checkEmbedOptions(texts, options);
    return embedTexts(this.#running, texts, options);
  }

  /**
   * Ends all answers and opens the model again, as after a lost device; answers that are asked for meanwhile wait for it.
   * What `learn` has counted is lost. Rejects as `open` does; then another try may follow.
   */
  async reopen(options: ReopenOptions = {}): Promise<void> {
    this.#checkOpen();
    checkReopenOptions(options);
    await this.#running.reopen(options.device);
  }

  /**
   * The answer to a conversation, by the model's own chat template; what earlier turns left in the cache is reused. Its
   * thoughts and its calls of tools are told apart from its content. No tool is run here.
   */
  chat<const Schema extends FormSchema>(
    messages: readonly ChatMessage[],
    options: ChatOptions & { readonly schema: Schema },
  ): ChatGeneration<SchemaValue<Schema>>;
  chat(
    messages: readonly ChatMessage[],
    options?: ChatOptions & { readonly schema?: undefined },
  ): ChatGeneration<string>;
  chat(messages: readonly ChatMessage[], options: ChatOptions): ChatGeneration;
  chat(messages: readonly ChatMessage[], options: ChatOptions = {}): ChatGeneration {
    this.#checkOpen();
    const { template: wish, toolChoice = "auto", ...answer } = checkChatOptions(options);
    const tools = toolChoice === "none" ? [] : (answer.tools ?? []);
    const { template } = this.#opened;
    const prompt = template.render(messages, { ...wish, tools });
    const continued = wish?.continueLast ? begunText(prompt, messages) : undefined;
    const said = { prompt, continued, form: template.form, tools };
    const asked = this.#forms.asked(answer);
    const { begun, source, isPlain } = planAnswer(toolChoice, { ...said, asked });
    const stop = [...(answer.stop ?? []), ...template.stopTexts];
    const reading = { ...said, begun, signal: answer.signal };
    const read = (result: GenerationResult): string | undefined => contentIn(result, reading);
    const bound = isPlain || source === undefined ? undefined : { source, read };
    const wrap = (active: ActiveGeneration, read: ReadValue): ChatGeneration =>
      new ChatGeneration(active, { ...reading, read });
    return this.#answer(template.encode(prompt + begun), { ...answer, stop }, wrap, bound);
  }

  /** The text that `chat` has the model read. @throws as `chat` */
  renderChat(messages: readonly ChatMessage[], template: ChatTemplateOptions = {}): string {
    this.#checkOpen();
    checkTemplateOptions(template);
    return this.#opened.template.render(messages, template);
  }

  /** The tokens that `chat` has the model read. @throws as `chat` */
  async encodeChat(
    messages: readonly ChatMessage[],
    template: ChatTemplateOptions = {},
  ): Promise<readonly number[]> {
    this.#checkOpen();
    checkTemplateOptions(template);
    return this.#opened.template.encode(this.#opened.template.render(messages, template));
  }

  /**
   * Writes to a file what the sequence of the last answer holds: its tokens, and what the model's layers remember of them.
   * The file is replaced as a whole. It goes on with this model and cache type, on any device and in any context that it fits.
   * @throws OptionError; FileAccessError where it cannot be written; HearthError before the first answer.
   */
  async saveState(path: string, options: SaveStateOptions = {}): Promise<SavedState> {
    this.#checkOpen();
    checkSaveState(path, options);
    return this.#running.between((running) => saveConversation(path, running, options));
  }

  /**
   * Takes a conversation from a file into the sequence that was left longest ago: a prompt that begins with its tokens
   * reads only what is new. The whole file is judged before anything of it is used.
   * @throws FileAccessError; FileFormatError for a file that is damaged, or of another model or cache type; LimitError for a
   * context that is too short, or where every sequence is being written in.
   */
  async loadState(path: string): Promise<LoadedState> {
    this.#checkOpen();
    checkValue(path, "path", pathRule);
    return this.#running.between((running) => loadConversation(path, running));
  }

  /** Forgets the conversation of the last answer; returns how many tokens it had. @throws LimitError while it is written */
  async forgetState(): Promise<Tokens> {
    this.#checkOpen();
    return this.#running.between(forgetConversation);
  }

  /**
   * Resolves when all conversations are in the folder `cacheDisk`, but those of answers that run; without that option, at
   * once. While nothing runs they are written by themselves: this is to be sure of it before `close`.
   */
  async remember(): Promise<void> {
    this.#checkOpen();
    await this.#running.remember();
  }

  /** What the feed-forward blocks did since the model was opened: in decode steps, or in prompts until there are any. */
  get sparsity(): SparsityReport {
    this.#checkOpen();
    return sparsityReport(this.#opened);
  }

  /** The neurons and experts of the model: how many, which of them are hot, and how often the profile saw them fire. */
  get neurons(): NeuronFacts {
    this.#checkOpen();
    return neuronFacts(this.#opened);
  }

  /** Says when the model brings no chat template and what stands in for it. */
  get chatAnnouncement(): string | undefined {
    return this.#opened.template.announcement;
  }

  /** The model's own chat template, in Jinja; undefined where a plain form stands in for it. */
  get chatTemplate(): string | undefined {
    return this.#opened.template.source;
  }

  /** Which neurons are where, on device hybrid. */
  get plan(): Plan | undefined {
    return this.#opened.plan;
  }

  /** How many answers run and wait now, and how long the next one may wait. */
  get activity(): Activity {
    this.#checkOpen();
    return this.#running.activity;
  }

  /** What memory it holds, and what a card did so far. */
  async report(): Promise<EngineReport> {
    this.#checkOpen();
    return engineReport(this.#opened, this.#running.cacheRam);
  }

  /** The timeline of all steps so far in Chrome's trace format, for an engine that was opened with `timeline`. */
  async timeline(): Promise<string> {
    this.#checkOpen();
    return engineTimeline(this.#opened);
  }

  /**
   * Closes, and adds to the sidecar which neurons the answers used; `hearth plan --refresh` makes use of it.
   * Undefined for an engine that was opened without `learn`, or one whose notices say that nothing can be learnt.
   */
  async learnAndClose(): Promise<LearnReport | undefined> {
    this.#checkOpen();
    const { learner } = this.#opened;
    try {
      const seen = await learner?.observe();
      // The sidecar may be mapped: it is changed after its last reader has gone.
      this.close();
      return seen && (await learner?.save(seen));
    } finally {
      this.close();
    }
  }

  /**
   * Ends all answers and frees the model. Afterwards what needs it throws or rejects; `tokenize`, `detokenize` and what
   * was known when it was opened still answer. To close again does nothing.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const active of this.#encoding) active.finish("abort");
    this.#running[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** `wrap`: what the caller holds; made before the answer begins. */
  #answer<Wrapped>(
    ids: PromptIds,
    options: GenerateOptions,
    wrap: (active: ActiveGeneration, read: ReadValue) => Wrapped,
    bound?: BoundAnswer,
  ): Wrapped {
    const { form, read } = this.#forms.of(options, bound);
    const ready = whenReady(ids, form && this.#forms.load(form));
    const prompt = ready instanceof Promise ? [] : ready;
    const active: ActiveGeneration = new ActiveGeneration(
      prompt,
      generationSettings(options, {
        tokenizer: this.tokenizer,
        vocabulary: this.model.vocabulary,
        forms: this.#forms,
        breakers: this.#breakers,
        form,
        previous: () => active.prompt.at(-1),
      }),
      this.tokenizer.createDetokenizer({ previous: prompt.at(-1) }),
    );
    const wrapped = wrap(active, read);
    if (ready instanceof Promise) void this.#submitLater(active, ready);
    else this.#running.submit(active);
    return wrapped;
  }

  /** What is wrong with a long prompt is known when it is encoded: its answer fails. */
  async #submitLater(active: ActiveGeneration, ids: Promise<readonly number[]>): Promise<void> {
    this.#encoding.add(active);
    try {
      const prompt = await ids;
      if (active.isFinished) return;
      active.setPrompt(prompt, this.tokenizer.createDetokenizer({ previous: prompt.at(-1) }));
      this.#running.submit(active);
    } catch (error) {
      active.fail(error);
    } finally {
      this.#encoding.delete(active);
    }
  }

  get #opened(): OpenedModel {
    return this.#running.opened;
  }

  #checkOpen(): void {
    if (!this.#isClosed) return;
    throw new HearthError(
      "this engine was closed by close(); open the model again with Engine.open",
    );
  }
}
