/**
 * Where in tokens a text stands: for DRY, whose repetitions end at such texts (llama.cpp's get_overlapping_token_sequences of
 * src/llama-sampler.cpp).
 */
import type { Tokenizer } from "./tokenizer.ts";

/** As in llama.cpp: longer texts, and tokens behind the first, are cut, so that looking for them stays linear. */
const maxCharacters = 40;
const maxTail = 20;

type Breakers = ReadonlyMap<number, readonly (readonly number[])[]>;

/** Remembers the last texts: answers ask for the same ones again and again. */
export class BreakerFinder {
  readonly #tokenizer: Tokenizer;
  #texts = "";
  #found: Breakers = new Map();

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  of(texts: readonly string[]): Breakers {
    const key = JSON.stringify(texts);
    if (key !== this.#texts) this.#found = findSequenceBreakers(this.#tokenizer, texts);
    this.#texts = key;
    return this.#found;
  }
}

/**
 * By the token in which one of the texts begins: the tokens that follow it then, for each way there is; none for a token that
 * contains the text. Looks through the vocabulary once.
 */
function findSequenceBreakers(tokenizer: Tokenizer, texts: readonly string[]): Breakers {
  const found = new Map<number, (readonly number[])[]>();
  const bytes = texts.map((text) => Buffer.from(text.slice(0, maxCharacters)));
  const tails = new Map<string, readonly number[]>();
  const tailOf = (text: Buffer): readonly number[] => {
    const key = text.toString("latin1");
    const known = tails.get(key);
    if (known !== undefined) return known;
    const ids = tokenizer.encode(text, { addBos: "never", addEos: "never" }).slice(0, maxTail);
    tails.set(key, ids);
    return ids;
  };
  for (let id = 0; id < tokenizer.vocabularySize; id++) {
    const piece = Buffer.from(tokenizer.pieceBytes(id));
    for (const text of bytes) {
      for (const rest of restsOf(piece, text)) {
        const known = found.get(id) ?? [];
        const tail = rest.length === 0 ? [] : tailOf(rest);
        if (!known.some((other) => isSame(other, tail))) found.set(id, [...known, tail]);
      }
    }
  }
  return found;
}

/** What is left of `text` behind `piece`, for each place of it where the text may begin; nothing if it is all there. */
function restsOf(piece: Buffer, text: Buffer): readonly Buffer[] {
  if (piece.includes(text)) return [Buffer.alloc(0)];
  const rests: Buffer[] = [];
  const first = text[0] ?? 0;
  for (let at = piece.indexOf(first); at >= 0; at = piece.indexOf(first, at + 1)) {
    const length = piece.length - at;
    if (length < text.length && piece.subarray(at).equals(text.subarray(0, length))) {
      rests.push(text.subarray(length));
    }
  }
  return rests;
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}
