/** Embeddings: texts to vectors. Each text is read in a sequence of its own; texts and answers share steps. */
import {
  checkOptions,
  choiceRule,
  describeValue,
  flagRule,
  type OptionRules,
  signalRule,
} from "../core/check-options.ts";
import { OptionError, PromptTooLongError } from "../core/errors.ts";
import type { Tokens } from "../core/units.ts";
import type { Pooling } from "../model/model.ts";
import { ActiveEmbedding } from "../runtime/embedding.ts";
import type { OpenedModel } from "./open.ts";
import { priorityRule } from "./option-rules.ts";
import { type Prompt, promptIds } from "./prompt-ids.ts";
import type { RunningModel } from "./running-model.ts";

export interface EmbedOptions {
  /**
   * What of the rows behind the last norm becomes the embedding: their mean over all tokens, or the last token's. Default:
   * what the model's file says, else "mean".
   */
  readonly pooling?: Pooling;
  /** Scale each embedding to length 1. Default true. */
  readonly normalize?: boolean;
  /** As of an answer. Default 0. */
  readonly priority?: number;
  readonly signal?: AbortSignal;
}

export interface Embedding {
  /** [dim] */
  readonly vector: Float32Array;
  /** Tokens that were read, a token of the model's own to begin or end with included. */
  readonly tokens: Tokens;
}

const embedRules: OptionRules<EmbedOptions> = {
  pooling: choiceRule(["mean", "last"]),
  normalize: flagRule,
  priority: priorityRule,
  signal: signalRule,
};

/** @throws OptionError naming the option. */
export function checkEmbedOptions(texts: unknown, options: EmbedOptions): void {
  checkOptions(options, embedRules, "embed");
  if (Array.isArray(texts)) return;
  throw new OptionError(
    "texts",
    describeValue(texts),
    "a list of texts, their bytes, or lists of token ids",
  );
}

/** All texts are judged before the first one is read. One that fails ends the others. */
export async function embedTexts(
  running: RunningModel,
  texts: readonly Prompt[],
  options: EmbedOptions,
): Promise<readonly Embedding[]> {
  const { pooling, normalize = true, priority = 0, signal } = options;
  const { opened } = running;
  const prompts: (readonly number[])[] = [];
  for (const [i, text] of texts.entries()) prompts.push(await idsOf(opened, text, `texts[${i}]`));
  const settings = { pooling: pooling ?? opened.pooling ?? "mean", normalize, priority };
  const embeddings: Embedding[] = [];
  const active = new Set<ActiveEmbedding>();
  const stop = (error: unknown): void => {
    for (const one of active) one.fail(error);
  };
  let next = 0;
  let hasFailed = false;
  // No more wait in the queue than can run: a long list takes one place after the other.
  const reader = async (): Promise<void> => {
    while (next < prompts.length && !hasFailed) {
      signal?.throwIfAborted();
      const at = next++;
      const tokens = prompts[at] ?? [];
      const one = new ActiveEmbedding(tokens, settings);
      active.add(one);
      running.submit(one);
      embeddings[at] = { vector: await one.result, tokens: tokens.length };
      active.delete(one);
    }
  };
  const abort = (): void => stop(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    const readers = Array.from({ length: opened.session.cache.sequences }, reader);
    await Promise.all(readers);
    return embeddings;
  } catch (error) {
    hasFailed = true;
    stop(error);
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

async function idsOf(
  { tokenizer, description, session }: OpenedModel,
  text: Prompt,
  option: string,
): Promise<readonly number[]> {
  const { vocabulary } = description;
  const ids = await promptIds(text, option, { tokenizer, vocabulary });
  const { contextLength } = session.cache;
  if (ids.length <= contextLength) return ids;
  throw new PromptTooLongError(ids.length, contextLength, option);
}
