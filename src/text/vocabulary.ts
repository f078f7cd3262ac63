/**
 * The vocabulary of a model file, read from its metadata and checked: tokens, their types,
 * scores, merges. A malformed vocabulary is refused here, so that encoding needs no checks.
 */
import { counted } from "../core/counted.ts";
import { FileFormatError, UnsupportedError } from "../core/errors.ts";
import type { Pausable } from "../core/pausable.ts";

/** What the tokenizer needs of a file's metadata: a getter answers undefined for a key it lacks. */
export interface VocabularyMetadata {
  /** The file's name, for error messages. */
  readonly file?: string;
  /** "string", "number", "long", "boolean", or of an array "strings", "numbers", "booleans", "arrays". */
  kindOf(key: string): string | undefined;
  optionalString(key: string): string | undefined;
  optionalNumber(key: string): number | undefined;
  optionalBoolean(key: string): boolean | undefined;
  optionalStrings(key: string): readonly string[] | undefined;
  optionalNumbers(key: string): ArrayLike<number> | undefined;
}

/** Numbers of `tokenizer.ggml.token_type`, as in llama.cpp's `llama_token_type`. */
export const tokenType: {
  readonly undefined: 0;
  readonly normal: 1;
  readonly unknown: 2;
  readonly control: 3;
  readonly userDefined: 4;
  readonly unused: 5;
  readonly byte: 6;
} = { undefined: 0, normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 };

export interface Vocabulary {
  readonly kind: "sentencepiece" | "byte-pairs" | "character-pairs";
  readonly file: string;
  readonly tokens: readonly string[];
  /** One of `tokenType` per token; special tokens may be re-typed while they are resolved. */
  readonly types: Uint8Array;
  /** Per token, sentencepiece only. */
  readonly scores: Float32Array;
  /** "left right", best first; not of sentencepiece. */
  readonly merges: readonly string[];
}

export function* readVocabulary(metadata: VocabularyMetadata): Pausable<Vocabulary> {
  const file = metadata.file ?? "model file";
  const kind = readKind(metadata, file);
  const tokens = metadata.optionalStrings("tokenizer.ggml.tokens");
  if (tokens === undefined || tokens.length === 0) {
    throw malformed(file, "tokenizer.ggml.tokens", "no tokens", "an array of strings");
  }
  yield;
  const types = readTypes(metadata, file, tokens.length);
  const isSentencePiece = kind === "sentencepiece";
  return {
    kind,
    file,
    tokens,
    types,
    scores: isSentencePiece ? readScores(metadata, file, tokens.length) : new Float32Array(0),
    merges: isSentencePiece ? [] : readMerges(metadata, file),
  };
}

export function malformed(
  file: string,
  where: string,
  found: string,
  expected: string,
): FileFormatError {
  return new FileFormatError({ file, where, found, expected });
}

function readKind(metadata: VocabularyMetadata, file: string): Vocabulary["kind"] {
  const model = metadata.optionalString("tokenizer.ggml.model");
  switch (model) {
    case "llama":
      return "sentencepiece";
    case "gpt2":
      return "byte-pairs";
    case "gemma4":
      return "character-pairs";
    case undefined:
      throw malformed(file, "tokenizer.ggml.model", "no value", 'a tokenizer such as "gpt2"');
    default:
      throw new UnsupportedError(`${file}: tokenizer "${model}"`, ["llama", "gpt2", "gemma4"]);
  }
}

function readTypes(metadata: VocabularyMetadata, file: string, tokenCount: number): Uint8Array {
  const types = new Uint8Array(tokenCount).fill(tokenType.normal);
  const listed = metadata.optionalNumbers("tokenizer.ggml.token_type");
  if (listed === undefined) return types;
  requireLength(file, "tokenizer.ggml.token_type", listed.length, tokenCount);
  for (let id = 0; id < tokenCount; id++) {
    const type = listed[id] ?? 0;
    types[id] = type >= 0 && type <= tokenType.byte ? type : tokenType.undefined;
  }
  return types;
}

function readScores(metadata: VocabularyMetadata, file: string, tokenCount: number): Float32Array {
  const listed = metadata.optionalNumbers("tokenizer.ggml.scores");
  if (listed === undefined) return new Float32Array(tokenCount);
  requireLength(file, "tokenizer.ggml.scores", listed.length, tokenCount);
  const wrong = Array.from(listed).findIndex((score) => !Number.isFinite(score));
  if (wrong < 0) return Float32Array.from(listed);
  const where = `tokenizer.ggml.scores, entry ${wrong}`;
  throw malformed(file, where, String(listed[wrong]), "a finite number");
}

function readMerges(metadata: VocabularyMetadata, file: string): readonly string[] {
  const merges = metadata.optionalStrings("tokenizer.ggml.merges");
  if (merges === undefined) {
    throw malformed(file, "tokenizer.ggml.merges", "no value", 'an array of "left right" pairs');
  }
  return merges;
}

function requireLength(file: string, where: string, found: number, expected: number): void {
  if (found === expected) return;
  throw malformed(file, where, counted(found, "entry", "entries"), `${expected}, one per token`);
}
