/**
 * Finds special tokens that are written out in a text, before the rest of it is encoded.
 * As llama.cpp's tokenizer_st_partition: longer tokens win over shorter ones wherever they stand.
 */
import { byteStringOf } from "./byte-text.ts";
import { tokenType, type Vocabulary, type VocabularyMetadata } from "./vocabulary.ts";

/** A piece of the text as a byte string, or the id of a special token that stood there. */
type Fragment =
  | { readonly kind: "text"; readonly bytes: string }
  | { readonly kind: "token"; readonly id: number };

export interface SpecialSplitter {
  /** User-defined tokens are always found, control and unknown tokens only with `parseSpecial`. */
  split(bytes: string, options: { readonly parseSpecial: boolean }): readonly Fragment[];
  /** Text after such a token begins like text after nothing: with SentencePiece's space prefix. */
  isSpecial(id: number): boolean;
}

interface SpecialText {
  readonly id: number;
  readonly bytes: string;
  readonly isAlwaysParsed: boolean;
  readonly swallowsSpaceAfter: boolean;
}

export function createSpecialSplitter(
  metadata: VocabularyMetadata,
  vocabulary: Vocabulary,
): SpecialSplitter {
  const name = metadata.optionalString("general.name")?.toLowerCase() ?? "";
  const isPhi3 = name.includes("phi-3") || name.includes("phi3");
  const specials: SpecialText[] = [];
  for (const [id, type] of vocabulary.types.entries()) {
    const text = vocabulary.tokens[id] ?? "";
    if (text === "" || !isSpecialType(type)) continue;
    specials.push({
      id,
      bytes: byteStringOf(text),
      isAlwaysParsed: type === tokenType.userDefined,
      swallowsSpaceAfter: isPhi3 && !phi3KeepsSpaceAfter.has(text),
    });
  }
  specials.sort((a, b) => b.bytes.length - a.bytes.length);
  const always = specials.filter((special) => special.isAlwaysParsed);
  return {
    split: (bytes, { parseSpecial }) => splitAtAll(bytes, parseSpecial ? specials : always),
    isSpecial: (id) => isSpecialType(vocabulary.types[id] ?? tokenType.normal),
  };
}

function isSpecialType(type: number): boolean {
  return type === tokenType.control || type === tokenType.userDefined || type === tokenType.unknown;
}

/** Phi-3's tokenizer strips white space after every other special token. */
const phi3KeepsSpaceAfter: ReadonlySet<string> = new Set(["<unk>", "<s>", "<|endoftext|>"]);

function splitAtAll(bytes: string, specials: readonly SpecialText[]): readonly Fragment[] {
  let fragments: readonly Fragment[] = bytes === "" ? [] : [{ kind: "text", bytes }];
  for (const special of specials) {
    if (!bytes.includes(special.bytes)) continue;
    fragments = fragments.flatMap((fragment) =>
      fragment.kind === "text" ? splitAt(fragment.bytes, special) : [fragment],
    );
  }
  return fragments;
}

function splitAt(bytes: string, special: SpecialText): Fragment[] {
  const fragments: Fragment[] = [];
  let start = 0;
  for (;;) {
    const found = bytes.indexOf(special.bytes, start);
    const end = found === -1 ? bytes.length : found;
    if (end > start) fragments.push({ kind: "text", bytes: bytes.slice(start, end) });
    if (found === -1) return fragments;
    fragments.push({ kind: "token", id: special.id });
    start = found + special.bytes.length;
    while (special.swallowsSpaceAfter && isSpace(bytes.charCodeAt(start))) start++;
  }
}

/** C's isspace: blank, \t \n \v \f \r. */
function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}
