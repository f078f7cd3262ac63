/** Perplexity of a model over a text or over token ids: opens the model, measures, closes it. */
import { checkOptions, countRule, functionRule, type OptionRules } from "../core/check-options.ts";
import type { Tokens } from "../core/units.ts";
import { type OpenedModel, openModelFile } from "../engine/open.ts";
import { checkIds, engineRules } from "../engine/option-rules.ts";
import type { EngineOptions } from "../engine/options.ts";
import { type SparsityReport, sparsityReport } from "../engine/sparsity-report.ts";
import { measurePerplexity, type Perplexity, type WindowOptions } from "./evaluation/perplexity.ts";

export interface PerplexityOptions extends EngineOptions {
  /** Tokens in a window (llama.cpp's -c). Default: the model's context, at most 512. */
  readonly window?: Tokens;
  /** Use at most this many tokens of the text. */
  readonly maxTokens?: Tokens;
  readonly onTokens?: (done: Tokens, total: Tokens) => void;
}

export interface PerplexityResult extends Perplexity {
  /** Over all rows; rows of one step share the weights they read. */
  readonly sparsity: SparsityReport;
  /** As of an engine. */
  readonly notices: readonly string[];
  readonly details: readonly string[];
}

/** A text, or ids that are not tokenised again. */
export type PerplexitySource = string | Uint8Array | readonly number[];

/** @throws as Engine.open; OptionError for too short a text. */
export async function perplexity(
  path: string,
  source: PerplexitySource,
  options: PerplexityOptions = {},
): Promise<PerplexityResult> {
  checkPerplexityOptions(options);
  const opened = await openModelFile(path, engineOptionsOf(options), "per row");
  try {
    const { ids, windows } = prepareText(opened, source, options);
    const measured = await measurePerplexity(opened.session, ids, windows);
    const { notices, details } = opened;
    return { ...measured, sparsity: sparsityReport(opened, "all"), notices, details };
  } finally {
    opened[Symbol.dispose]();
  }
}

const perplexityRules: OptionRules<PerplexityOptions> = {
  ...engineRules,
  // Half of a window is scored, from its third token on: llama.cpp's definition.
  window: countRule(4, 1 << 24),
  maxTokens: countRule(1),
  onTokens: functionRule,
};

/** @throws OptionError naming the option. */
export function checkPerplexityOptions(options: PerplexityOptions): void {
  checkOptions(options, perplexityRules, "perplexity");
}

/** What `Engine.open` takes of them. */
export function engineOptionsOf(options: PerplexityOptions): EngineOptions {
  const { window, maxTokens: _tokens, onTokens: _onTokens, ...engineOptions } = options;
  const contextLength = window ?? engineOptions.contextLength;
  return contextLength === undefined ? engineOptions : { ...engineOptions, contextLength };
}

/** @throws OptionError for ids that the vocabulary does not have. */
export function prepareText(
  { session, tokenizer, description }: OpenedModel,
  source: PerplexitySource,
  options: PerplexityOptions,
): { readonly ids: readonly number[]; readonly windows: WindowOptions } {
  const { maxTokens, onTokens, signal } = options;
  const isText = typeof source === "string" || source instanceof Uint8Array;
  const all = isText
    ? tokenizer.encode(source)
    : checkIds(source, "source", description.vocabulary);
  const { bos, addsBos } = tokenizer.special;
  return {
    ids: maxTokens === undefined ? all : all.slice(0, maxTokens),
    windows: {
      window: options.window ?? Math.min(512, session.cache.contextLength),
      bos: addsBos ? bos : undefined,
      ...(onTokens && { onProgress: onTokens }),
      ...(signal && { signal }),
    },
  };
}
