/** Perplexity of a model over a text or over token ids: opens the model, measures, closes it. */
import { OptionError } from "./core/errors.ts";
import type { Tokens } from "./core/units.ts";
import { openModelFile } from "./engine-open.ts";
import type { EngineOptions } from "./engine-options.ts";
import { type SparsityReport, sparsityReport } from "./engine-trace.ts";
import { measurePerplexity, type Perplexity } from "./runtime/perplexity.ts";

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
  /** What the user should know, one sentence each. */
  readonly notices: readonly string[];
}

/** `source`: a text, or ids that are not tokenised again. @throws as Engine.open; OptionError for too short a text. */
export async function perplexity(
  path: string,
  source: string | Uint8Array | readonly number[],
  options: PerplexityOptions = {},
): Promise<PerplexityResult> {
  const { window: asked, maxTokens, onTokens, ...engineOptions } = options;
  const contextLength = asked ?? engineOptions.contextLength;
  const opened = await openModelFile(
    path,
    contextLength === undefined ? engineOptions : { ...engineOptions, contextLength },
    "per row",
  );
  try {
    const { session, tokenizer, description } = opened;
    const window = asked ?? Math.min(512, session.cache.contextLength);
    const isText = typeof source === "string" || source instanceof Uint8Array;
    const all = isText ? tokenizer.encode(source) : checkIds(source, description.vocabulary);
    const ids = maxTokens === undefined ? all : all.slice(0, maxTokens);
    const { bos, addsBos } = tokenizer.special;
    const measured = await measurePerplexity(session, ids, {
      window,
      bos: addsBos ? bos : undefined,
      ...(onTokens && { onProgress: onTokens }),
      ...(options.signal && { signal: options.signal }),
    });
    return { ...measured, sparsity: sparsityReport(opened, "all"), notices: opened.notices };
  } finally {
    opened[Symbol.dispose]();
  }
}

function checkIds(ids: readonly number[], vocabulary: number): readonly number[] {
  const wrong = ids.findIndex((id) => !Number.isInteger(id) || id < 0 || id >= vocabulary);
  if (wrong < 0) return ids;
  throw new OptionError(
    "ids",
    `${ids[wrong]} at place ${wrong}`,
    `ids from 0 to ${vocabulary - 1}`,
  );
}
