/**
 * Which tokens are special: begin and end of text, end of a turn, and all that end a generation.
 * Metadata first, then by their text, as llama.cpp does (llama_vocab::impl::load, commit 00ad355).
 */

import { counted } from "../core/counted.ts";
import { entriesPerPause, type Pausable } from "../core/pausable.ts";
import { type FillInTokens, fillInTexts, fillInTokens } from "./fill-in-tokens.ts";
import { findPreTokenizer } from "./pre-tokenizers.ts";
import { malformed, tokenType, type Vocabulary, type VocabularyMetadata } from "./vocabulary.ts";

export interface SpecialTokens {
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  /** Ends a turn of a chat. */
  readonly eot: number | undefined;
  readonly eom: number | undefined;
  readonly unknown: number | undefined;
  readonly separator: number | undefined;
  readonly padding: number | undefined;
  /** Of models that fill in the middle of a text. */
  readonly fillIn: FillInTokens | undefined;
  /** A generation stops when it makes one of these. */
  readonly endOfGeneration: ReadonlySet<number>;
  /** Never part of an answer: marks around pictures and sound, in models that read them. */
  readonly suppressed: readonly number[];
  /** The model wants BOS first, EOS last. */
  readonly addsBos: boolean;
  readonly addsEos: boolean;
}

/** Also re-types the tokens that a converter forgot to mark as control tokens. Adds to `notices`. */
export function* resolveSpecialTokens(
  metadata: VocabularyMetadata,
  vocabulary: Vocabulary,
  notices: string[],
): Pausable<SpecialTokens> {
  const byText = yield* findByText(vocabulary, namedTokens);
  const source: IdSource = { metadata, vocabulary, notices };
  const idOf = (name: string): number | undefined => readId(source, name);
  const isSentencePiece = vocabulary.kind === "sentencepiece";
  const bos = idOf("bos") ?? defaultId(vocabulary, isSentencePiece ? 1 : 11);
  const listedEnds = readEnds(source);
  const eos = idOf("eos") ?? listedEnds[0] ?? defaultId(vocabulary, isSentencePiece ? 2 : 11);
  const eot = idOf("eot") ?? firstPresent(byText, turnEnds);
  const eom = idOf("eom") ?? byText.get("<|eom_id|>");
  const endOfGeneration = collectEnds(byText, [eos, eot, eom, ...listedEnds]);
  retype(vocabulary, byText, endOfGeneration);
  return {
    bos,
    eos,
    eot,
    eom,
    unknown: idOf("unknown") ?? (isSentencePiece ? defaultId(vocabulary, 0) : undefined),
    separator: idOf("seperator") ?? idOf("separator"),
    padding: idOf("padding"),
    fillIn: fillInTokens(yield* findByText(vocabulary, fillInNames), idOf),
    endOfGeneration,
    suppressed: readIds(source, "tokenizer.ggml.suppress_tokens"),
    addsBos: readBos(metadata, { vocabulary, id: bos }, notices),
    addsEos: readFlag(metadata, { name: "eos", id: eos, byDefault: false }, notices),
  };
}

/** Texts that end a turn, the likeliest first. */
const turnEnds: readonly string[] = [
  "<|eot_id|>",
  "<|im_end|>",
  "<|end|>",
  "<end_of_turn>",
  "<|endoftext|>",
  "<|end_of_text|>",
  "<EOT>",
  "_<EOT>",
  "[EOT]",
  "<\uff5cend\u2581of\u2581sentence\uff5c>",
  "<end_of_utterance>",
];
const otherEnds: readonly string[] = [
  "<|return|>",
  "<|call|>",
  "<|flush|>",
  "<|calls|>",
  "</s>",
  "<|eom_id|>",
  "[EOS]",
  "<eos>",
  "<turn|>",
  "<|tool_response>",
  "[e~[",
  // Fill-in-the-middle: padding, next repository, next file.
  "<|fim_pad|>",
  "<fim-pad>",
  "<fim_pad>",
  "<PAD>",
  "[PAD]",
  "<|fim_repo|>",
  "<|repo_name|>",
  "<fim-repo>",
  "<REPO>",
  "<reponame>",
  "<|file_sep|>",
];
/** Parts of the Harmony format that are always shown. */
const harmonyMarks: readonly string[] = [
  "<|channel|>",
  "<|message|>",
  "<|start|>",
  "<|constrain|>",
];
/** In Gemma 4's vocabulary, which is known by <|tool_response>, it ends nothing. */
const htmlTag = "</s>";
const fillInNames: ReadonlySet<string> = new Set(fillInTexts);
const namedTokens: ReadonlySet<string> = new Set([...turnEnds, ...otherEnds, ...harmonyMarks]);

function* findByText(
  vocabulary: Vocabulary,
  wanted: ReadonlySet<string>,
): Pausable<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  for (const [id, token] of vocabulary.tokens.entries()) {
    if (id % entriesPerPause === 0) yield;
    if (wanted.has(token) && !found.has(token)) found.set(token, id);
  }
  return found;
}

function firstPresent(
  byText: ReadonlyMap<string, number>,
  texts: readonly string[],
): number | undefined {
  for (const text of texts) {
    const id = byText.get(text);
    if (id !== undefined) return id;
  }
  return undefined;
}

function collectEnds(
  byText: ReadonlyMap<string, number>,
  declared: readonly (number | undefined)[],
): Set<number> {
  const ends = new Set<number>();
  for (const text of [...turnEnds, ...otherEnds]) {
    const id = byText.get(text);
    if (id !== undefined) ends.add(id);
  }
  const has = (text: string): boolean => byText.has(text);
  const endsOnlyAMessage =
    (has("<|return|>") && (has("<|call|>") || has("<|calls|>"))) ||
    (has("<|flush|>") && (has("<|call|>") || has("<|calls|>")));
  if (endsOnlyAMessage) ends.delete(byText.get("<|end|>") ?? -1);
  if (has("<|tool_response>")) ends.delete(byText.get(htmlTag) ?? -1);
  for (const id of declared) if (id !== undefined) ends.add(id);
  return ends;
}

/** A token with such a name is a control token, whatever the file says; Harmony's marks and a tag are text. */
function retype(
  vocabulary: Vocabulary,
  byText: ReadonlyMap<string, number>,
  endOfGeneration: ReadonlySet<number>,
): void {
  for (const [text, id] of byText) {
    const otherwise = text === htmlTag ? tokenType.normal : tokenType.userDefined;
    vocabulary.types[id] = endOfGeneration.has(id) ? tokenType.control : otherwise;
  }
}

/** Written for "no such token" by converters: -1 in 32 bits. */
const none = 0xffffffff;

interface IdSource {
  readonly metadata: VocabularyMetadata;
  readonly vocabulary: Vocabulary;
  readonly notices: string[];
}

function readId(source: IdSource, name: string): number | undefined {
  const key = `tokenizer.ggml.${name}_token_id`;
  // Some writers list all ends under the key of one.
  if (source.metadata.kindOf(key) === "numbers") return readIds(source, key)[0];
  const id = source.metadata.optionalNumber(key);
  return id === undefined ? undefined : knownId(source, key, id);
}

/** Models that end an answer by any of several tokens: generation_config.json's list of eos_token_id. */
function readEnds(source: IdSource): readonly number[] {
  const keys = ["eos", "eot", "eom"].flatMap((name) => [
    `tokenizer.ggml.${name}_token_ids`,
    `tokenizer.ggml.${name}_token_id`,
  ]);
  return keys
    .filter((key) => source.metadata.kindOf(key) === "numbers")
    .flatMap((key) => readIds(source, key));
}

function readIds(source: IdSource, key: string): readonly number[] {
  const listed = Array.from(source.metadata.optionalNumbers(key) ?? []);
  return listed.map((id) => knownId(source, key, id)).filter((id) => id !== undefined);
}

/** An id that no token has is passed over with a notice, as llama.cpp does. */
function knownId({ vocabulary, notices }: IdSource, key: string, id: number): number | undefined {
  if (id === -1 || id === none) return undefined;
  const count = vocabulary.tokens.length;
  if (!Number.isInteger(id)) throw malformed(vocabulary.file, key, `${id}`, "a token id");
  if (id >= 0 && id < count) return id;
  const notice = `${key} is ${id}, but the vocabulary has ${counted(count, "token")}: it is ignored`;
  if (!notices.includes(notice)) notices.push(notice);
  return undefined;
}

/** llama.cpp's defaults count only where they point at a token made for the purpose: 11 is a comma in GPT-2. */
function defaultId(vocabulary: Vocabulary, id: number): number | undefined {
  const type = vocabulary.types[id];
  return type === tokenType.control || type === tokenType.unknown ? id : undefined;
}

/** Some files of Gemma 4 say by mistake that it wants none. */
function readBos(
  metadata: VocabularyMetadata,
  { vocabulary, id }: { readonly vocabulary: Vocabulary; readonly id: number | undefined },
  notices: string[],
): boolean {
  const isStated = readFlag(
    metadata,
    { name: "bos", id, byDefault: defaultBos(metadata, vocabulary) },
    notices,
  );
  if (isStated || id === undefined || vocabulary.kind !== "character-pairs") return isStated;
  notices.push("tokenizer.ggml.add_bos_token is false, but Gemma 4 needs the token: it is added");
  return true;
}

function defaultBos(metadata: VocabularyMetadata, vocabulary: Vocabulary): boolean {
  if (vocabulary.kind !== "byte-pairs") return true;
  const name = metadata.optionalString("tokenizer.ggml.pre");
  return name !== undefined && (findPreTokenizer(name)?.addsBos ?? false);
}

function readFlag(
  metadata: VocabularyMetadata,
  flag: { readonly name: string; readonly id: number | undefined; readonly byDefault: boolean },
  notices: string[],
): boolean {
  const key = `tokenizer.ggml.add_${flag.name}_token`;
  const isWanted = metadata.optionalBoolean(key) ?? flag.byDefault;
  if (!isWanted || flag.id !== undefined) return isWanted;
  notices.push(`${key} is true, but the model has no such token: none is added`);
  return false;
}
