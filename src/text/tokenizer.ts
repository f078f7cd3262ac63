/**
 * Text to token ids and back, from a model file's metadata alone. The rules are llama.cpp's
 * (llama_vocab::impl::tokenize and token_to_piece of src/llama-vocab.cpp); docs/decisions/0002-tokenizers.md has
 * where and why we differ.
 */
import {
  checkOptions,
  checkValue,
  choiceRule,
  countRule,
  describeValue,
  flagRule,
  type OptionRules,
} from "../core/check-options.ts";
import { OptionError } from "../core/errors.ts";
import { type Pausable, runAtOnce, runWithPauses } from "../core/pausable.ts";
import { createBytePairs } from "./byte-pairs.ts";
import { byteStringOf } from "./byte-text.ts";
import { createCharacterPairs } from "./character-pairs.ts";
import {
  createDetokenizer,
  type Detokenizer,
  type DetokenizerOptions,
  type PieceSource,
} from "./detokenizer.ts";
import type { Encoder } from "./encoder.ts";
import { findPreTokenizer, type PreTokenizer, preTokenizerNames } from "./pre-tokenizers.ts";
import { createSentencePiece } from "./sentencepiece.ts";
import { createSpecialSplitter, type SpecialSplitter } from "./special-splitter.ts";
import { resolveSpecialTokens, type SpecialTokens } from "./special-tokens.ts";
import {
  readVocabulary,
  tokenType,
  type Vocabulary,
  type VocabularyMetadata,
} from "./vocabulary.ts";

/** Whether BOS or EOS is added: as the model's flags say, or in any case, or not at all. */
export type AddToken = "model" | "always" | "never";

export interface EncodeOptions {
  /** Control tokens written out in the text ("<|im_end|>") become those tokens. Default false. */
  readonly parseSpecial?: boolean;
  /** Default "model". */
  readonly addBos?: AddToken;
  /** Default "model". */
  readonly addEos?: AddToken;
}

interface DecodeOptions {
  /** Control and unknown tokens are written out too. Default false: they are left out. */
  readonly showSpecial?: boolean;
}

export interface Tokenizer {
  readonly kind: Vocabulary["kind"];
  readonly vocabularySize: number;
  readonly special: SpecialTokens;
  /** What the user should know, such as an unknown pre-tokenizer and what stands in for it. */
  readonly notices: readonly string[];
  /** Bytes need not be UTF-8: they are taken as they are. */
  encode(text: string | Uint8Array, options?: EncodeOptions): number[];
  /** The same, giving way to the event loop every few milliseconds: a megabyte takes 0.2 s and more. */
  encodeWithPauses(text: string | Uint8Array, options?: EncodeOptions): Promise<number[]>;
  /** The text of ids that stand at the start of a text: the opposite of `encode`. */
  decode(ids: Iterable<number>, options?: DecodeOptions): string;
  /** What one token adds to a text, special tokens written out. */
  pieceBytes(id: number): Uint8Array;
  /** What each token says and what kind it is: the source of detokenizers, and of masks. */
  readonly pieces: PieceSource;
  /** The token as it is written in the vocabulary; undefined if there is no such id. */
  tokenText(id: number): string | undefined;
  /** Decodes tokens one by one, as they are made. */
  createDetokenizer(options?: DetokenizerOptions): Detokenizer;
}

/**
 * `rows`: of the model's embedding, where it has more than the vocabulary has tokens. Their ids may come in an answer;
 * they stand for no text. @throws FileFormatError for a malformed vocabulary, UnsupportedError for another kind of tokenizer.
 */
export function createTokenizer(metadata: VocabularyMetadata, rows?: number): Tokenizer {
  return runAtOnce(makeTokenizer(metadata, rows));
}

/** The same, giving way to the event loop every few milliseconds: a large vocabulary takes 100 ms and more. */
export function loadTokenizer(metadata: VocabularyMetadata, rows?: number): Promise<Tokenizer> {
  return runWithPauses(makeTokenizer(metadata, rows));
}

function* makeTokenizer(metadata: VocabularyMetadata, rows = 0): Pausable<Tokenizer> {
  const vocabulary = yield* readVocabulary(metadata);
  yield;
  const notices: string[] = [];
  const special = yield* resolveSpecialTokens(metadata, vocabulary, notices);
  const splitter = createSpecialSplitter(metadata, vocabulary);
  yield;
  const encoder = yield* createEncoder(metadata, vocabulary, { special, notices });
  const pieces = {
    bytesOf: encoder.bytesOf,
    isSpecial: splitter.isSpecial,
    isHidden: (id: number): boolean => isHidden(vocabulary.types[id] ?? tokenType.undefined),
    addsSpacePrefix: encoder.addsSpacePrefix,
  };
  const idRule = countRule(0, Math.max(rows, vocabulary.tokens.length) - 1);
  return {
    kind: vocabulary.kind,
    vocabularySize: vocabulary.tokens.length,
    special,
    notices,
    encode(text, options = {}) {
      checkEncoding(text, options);
      return runAtOnce(encode(text, { special, splitter, encoder, options }));
    },
    encodeWithPauses(text, options = {}) {
      checkEncoding(text, options);
      return runWithPauses(encode(text, { special, splitter, encoder, options }));
    },
    decode(ids, options = {}) {
      checkList(ids);
      checkOptions(options, decodeRules, "decode");
      const detokenizer = createDetokenizer(pieces, options);
      let text = "";
      for (const id of ids) {
        checkValue(id, "token", idRule);
        text += detokenizer.push(id);
      }
      return text + detokenizer.end();
    },
    pieceBytes: (id) => encoder.bytesOf(id),
    pieces,
    tokenText: (id) => vocabulary.tokens[id],
    createDetokenizer: (options = {}) => {
      checkOptions(options, { ...decodeRules, previous: idRule }, "detokenizer");
      return createDetokenizer(pieces, options);
    },
  };
}

const addTokens: readonly AddToken[] = ["model", "always", "never"];

const encodeRules: OptionRules<EncodeOptions> = {
  parseSpecial: flagRule,
  addBos: choiceRule(addTokens),
  addEos: choiceRule(addTokens),
};

const decodeRules: OptionRules<DecodeOptions> = { showSpecial: flagRule };

function checkEncoding(text: unknown, options: unknown): void {
  if (typeof text !== "string" && !(text instanceof Uint8Array)) {
    throw new OptionError("text", describeValue(text), "a text, or its bytes");
  }
  checkOptions(options, encodeRules, "encode");
}

function checkList(ids: unknown): void {
  if (typeof ids === "object" && ids !== null && Symbol.iterator in ids) return;
  throw new OptionError("tokens", describeValue(ids), "a list of token ids");
}

function createEncoder(
  metadata: VocabularyMetadata,
  vocabulary: Vocabulary,
  context: { readonly special: SpecialTokens; readonly notices: string[] },
): Pausable<Encoder> {
  const { unknown } = context.special;
  switch (vocabulary.kind) {
    case "sentencepiece":
      return createSentencePiece(metadata, vocabulary, unknown);
    case "character-pairs":
      return createCharacterPairs(vocabulary, unknown);
    case "byte-pairs":
      return createBytePairs(vocabulary, choosePreTokenizer(metadata, context.notices), unknown);
    default:
      return vocabulary.kind satisfies never;
  }
}

/** Never silently another one: the notice says which. */
function choosePreTokenizer(metadata: VocabularyMetadata, notices: string[]): PreTokenizer {
  const name = metadata.optionalString("tokenizer.ggml.pre");
  const found = findPreTokenizer(name ?? "default");
  if (name === undefined) {
    notices.push(
      'the file names no pre-tokenizer (tokenizer.ggml.pre): using "default", which may split ' +
        "text otherwise than the model was trained with",
    );
  } else if (found === undefined) {
    notices.push(
      `pre-tokenizer "${name}" is not known: using "default", which may split text otherwise than ` +
        `the model was trained with. Known: ${preTokenizerNames().join(", ")}`,
    );
  }
  const chosen = found ?? findPreTokenizer("default");
  if (chosen === undefined) throw new RangeError('no pre-tokenizer "default"');
  return chosen;
}

function* encode(
  text: string | Uint8Array,
  use: {
    readonly special: SpecialTokens;
    readonly splitter: SpecialSplitter;
    readonly encoder: Encoder;
    readonly options: EncodeOptions;
  },
): Pausable<number[]> {
  const { special, encoder } = use;
  const { parseSpecial = false, addBos = "model", addEos = "model" } = use.options;
  const output: number[] = [];
  if (isAdded(addBos, special.addsBos) && special.bos !== undefined) output.push(special.bos);
  let isAfterSpecial = true;
  for (const fragment of use.splitter.split(byteStringOf(text), { parseSpecial })) {
    if (fragment.kind === "token") {
      output.push(fragment.id);
    } else {
      const prefix = encoder.addsSpacePrefix && isAfterSpecial ? " " : "";
      yield* encoder.encode(prefix + fragment.bytes, output);
    }
    yield;
    isAfterSpecial = fragment.kind === "token";
  }
  if (isAdded(addEos, special.addsEos) && special.eos !== undefined) output.push(special.eos);
  return output;
}

function isAdded(choice: AddToken, byModel: boolean): boolean {
  return choice === "always" || (choice === "model" && byModel);
}

function isHidden(type: number): boolean {
  return type === tokenType.control || type === tokenType.unknown;
}
