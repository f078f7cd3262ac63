/** A corpus of the model's own text, for models without a given text: sampled at temperature 1, from BOS on. */
import { createHash } from "node:crypto";
import { createRandom } from "../../core/random.ts";
import type { Tokens } from "../../core/units.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import type { Corpus } from "../corpus.ts";
import type { CheckedModel } from "./checked-model.ts";

export interface SampleRequest {
  readonly tokens: Tokens;
  /** The most tokens of a document. */
  readonly window: Tokens;
  readonly seed: number;
  readonly onTokens?: (done: Tokens, total: Tokens) => void;
  readonly signal?: AbortSignal;
}

export async function sampleCorpus(
  model: CheckedModel,
  tokenizer: Tokenizer,
  request: SampleRequest,
): Promise<Corpus> {
  const { tokens, window, seed, onTokens, signal } = request;
  const { uniform } = createRandom(seed);
  const documents: string[] = [];
  for (let done = 0; done < tokens; ) {
    signal?.throwIfAborted();
    const document = await sampleDocument(model, tokenizer, { window, uniform });
    done += Math.max(1, document.length);
    documents.push(tokenizer.decode(document));
    onTokens?.(Math.min(done, tokens), tokens);
  }
  const texts = documents.filter((text) => text !== "");
  const hash = createHash("sha256").update(texts.join("\0")).digest("hex");
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  return {
    name: `text sampled from the model (seed ${seed})`,
    hash,
    bytes,
    pieces: async function* () {
      for (const text of texts) yield { text, startsDocument: true };
    },
  };
}

async function sampleDocument(
  model: CheckedModel,
  { special }: Tokenizer,
  draw: { readonly window: Tokens; readonly uniform: () => number },
): Promise<readonly number[]> {
  let next = special.bos ?? 0;
  const drawn: number[] = [];
  for (let position = 0; position < draw.window - 1; position++) {
    const logits = await model.answer(next, position);
    next = sampleToken(logits, draw.uniform());
    if (special.endOfGeneration.has(next)) break;
    drawn.push(next);
  }
  return drawn;
}

/** By the softmax of the logits: the token in whose stretch of the cumulated probabilities `share` lies. */
function sampleToken(logits: Float32Array, share: number): number {
  const highest = logits.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY);
  const weights = Float64Array.from(logits, (logit) => Math.exp(logit - highest));
  let left = share * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [token, weight] of weights.entries()) {
    left -= weight;
    if (left < 0) return token;
  }
  return weights.length - 1;
}
