/**
 * What was seen of one answer: its tokens, and for each neuron how many of them it was computed for. Lists of single tokens
 * are kept as far as memory goes; the sums are of all.
 */
import type { End, Facts, MapToken } from "./frames.ts";

/** A piece of the answer's text: a token that was shown, or one that was not. */
export interface TokenPiece {
  readonly text: string;
  /** Undefined: it was not shown. */
  readonly token: MapToken | undefined;
}

/** Ids of neurons kept for single tokens: 64 MiB. */
const maxIds = 1 << 24;

export class Recording {
  readonly facts: Facts;
  readonly pieces: TokenPiece[] = [];
  /** By layer: for how many of the shown tokens each neuron, or expert, was computed. */
  readonly counts: readonly Uint32Array[];
  /** Shown tokens, in order. */
  readonly tokens: MapToken[] = [];
  isEnded = false;
  #ids = 0;
  #forgotten = 0;

  constructor(facts: Facts) {
    this.facts = facts;
    this.counts = facts.layers.map(
      (layer) => new Uint32Array(layer.experts?.count ?? layer.neurons),
    );
  }

  /** The first tokens whose lists are gone. */
  get forgotten(): number {
    return this.#forgotten;
  }

  add(token: MapToken): void {
    for (const text of token.before) this.pieces.push({ text, token: undefined });
    this.pieces.push({ text: token.text, token });
    this.tokens.push(token);
    for (const { layer, ids } of token.layers) {
      const counts = this.counts[layer];
      if (counts === undefined || ids === undefined) continue;
      for (const id of ids) counts[id] = (counts[id] ?? 0) + 1;
      this.#ids += ids.length;
    }
    while (this.#ids > maxIds && this.#forgotten < this.tokens.length - 1) this.#forgetOldest();
  }

  end({ before }: End): void {
    for (const text of before) this.pieces.push({ text, token: undefined });
    this.isEnded = true;
  }

  #forgetOldest(): void {
    const oldest = this.tokens[this.#forgotten];
    if (oldest === undefined) return;
    const layers = oldest.layers.map((layer) => ({ ...layer, ids: undefined }));
    this.#ids -= oldest.layers.reduce((sum, { ids }) => sum + (ids?.length ?? 0), 0);
    this.tokens[this.#forgotten++] = { ...oldest, layers };
  }
}
