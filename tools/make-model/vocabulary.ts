/**
 * A SentencePiece vocabulary of any size that tokenises any text: with 300 tokens or more it has all bytes, then
 * single characters, then made-up words. Merges make the same tokens of characters, for Gemma 4's tokenizer.
 */
export interface Vocabulary {
  readonly tokens: readonly string[];
  readonly scores: readonly number[];
  readonly types: readonly number[];
  /** "left right": each word of two tokens before it. */
  readonly merges: readonly string[];
}

/** llama.cpp's token types. */
const type = { normal: 1, unknown: 2, control: 3, byte: 6 } as const;
/** 3 special tokens, 256 bytes and some letters; fewer tokens leave the bytes out. */
const minWithBytes = 300;

export const special: { readonly unknown: number; readonly begin: number; readonly end: number } = {
  unknown: 0,
  begin: 1,
  end: 2,
};

export function makeVocabulary(size: number): Vocabulary {
  const tokens = ["<unk>", "<s>", "</s>"];
  const types: number[] = [type.unknown, type.control, type.control];
  for (let byte = 0; size >= minWithBytes && byte < 256; byte++) {
    tokens.push(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
    types.push(type.byte);
  }
  const firstNormal = tokens.length;
  for (const piece of pieces()) {
    if (tokens.length >= size) break;
    tokens.push(piece);
    types.push(type.normal);
  }
  const scores = tokens.map((_, id) => (id < firstNormal ? 0 : firstNormal - id - 1));
  return {
    tokens: tokens.slice(0, size),
    scores: scores.slice(0, size),
    types: types.slice(0, size),
    merges: mergesOf(tokens.slice(firstNormal, size)),
  };
}

/** The longest token that a word begins with, and the rest of it. */
function mergesOf(words: readonly string[]): readonly string[] {
  const known = new Set<string>();
  return words.flatMap((word) => {
    const cut = cutsOf(word).find(
      (at) => known.has(word.slice(0, at)) && known.has(word.slice(at)),
    );
    known.add(word);
    return cut === undefined ? [] : [`${word.slice(0, cut)} ${word.slice(cut)}`];
  });
}

function cutsOf(word: string): readonly number[] {
  return Array.from({ length: word.length - 1 }, (_, at) => word.length - 1 - at);
}

/** Different strings without end: characters, then words of one, two, three … syllables. */
function* pieces(): Generator<string> {
  yield "▁";
  const letters = "etaoinshrdlucmfwygpbvkxqjzETAOINSHRDLUCMFWYGPBVKXQJZ0123456789.,;:!?'\"-()";
  for (const letter of letters) yield letter;
  for (const letter of "abcdefghijklmnopqrstuvwxyz") yield `▁${letter}`;
  const syllables = [..."bdfghjklmnprstvw"].flatMap((one) => [..."aeiou"].map((two) => one + two));
  let words = syllables;
  for (;;) {
    for (const word of words) {
      yield word;
      yield `▁${word}`;
    }
    words = words.flatMap((word) => syllables.map((syllable) => word + syllable));
  }
}
