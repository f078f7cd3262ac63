/** A form that an answer keeps to, token by token: a grammar's side of the sampler. */

/**
 * What may come next in an answer of a promised form. It begins in front of the answer's first token, belongs to one answer
 * and knows the end tokens of that answer (GenerationSettings.endTokens).
 */
export interface TokenConstraint {
  /**
   * Sets the bit of each token that may come next (bit `id % 32` of word `id / 32`) and clears the others. End tokens are
   * among the first where the answer is complete. `into`: `maskWords(vocabulary)` words, of any content.
   */
  mask(into: Uint32Array): void;
  /** Goes on by a token that is no end token. False, and nothing is changed, where that token may not come next. */
  accept(token: number): boolean;
  /**
   * The tokens that come next whatever the model thinks of them, in the tokenizer's own spelling: none where there is a choice.
   * They are to be accepted in this order.
   */
  forced(): readonly number[];
  /** Takes back the last `tokens` accepted ones. */
  rollback(tokens: number): void;
  /** Whether nothing but an end token may come next: the answer ends without reading one. */
  readonly isDone: boolean;
}

/** Words of a mask of one bit a token. */
export function maskWords(vocabulary: number): number {
  return Math.ceil(vocabulary / 32);
}
