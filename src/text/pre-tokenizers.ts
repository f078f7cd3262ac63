/**
 * Pre-tokenizers of byte-pair vocabularies, by `tokenizer.ggml.pre`: how text is cut before merging.
 * Names, groups and flags are those of llama.cpp (src/llama-vocab.cpp, commit 00ad355); the expressions are the
 * models' own (tokenizer.json), which is also where tekken and gpt-4o differ from llama.cpp's approximation.
 */

import type { Pausable } from "../core/pausable.ts";
import { piecesPerPause } from "./encoder.ts";
import { compileExpression } from "./expression.ts";

export interface PreTokenizer {
  /** Name in `tokenizer.ggml.pre`. */
  readonly name: string;
  /** Applied one after the other, each to the pieces of the one before; what it does not match stays a piece. */
  readonly cuts: readonly Cut[];
  /** The expressions of the cuts; AFMoE's rule for digits is none. */
  readonly expressions: readonly string[];
  /** A piece that is a token as it stands is that token, whatever the merges say. */
  readonly ignoresMerges: boolean;
  /** Whether BOS goes first where the metadata does not say. */
  readonly addsBos: boolean;
}

/** For a text: where the piece that begins at an offset ends. */
type Cut = (text: string) => (start: number) => number;

/**
 * Calls `use` with the begin and end of each piece of the text, in order, one by one: a long text is never cut to be
 * matched, nor its pieces kept. Pauses now and then.
 */
export function* eachPiece(
  text: string,
  cuts: readonly Cut[],
  use: (start: number, end: number) => void,
): Pausable<void> {
  const [cut, ...finer] = cuts;
  if (cut === undefined) {
    if (text !== "") use(0, text.length);
    return;
  }
  const endOf = cut(text);
  let pieces = 0;
  for (let start = 0; start < text.length; ) {
    if (++pieces % piecesPerPause === 0) yield;
    const begin = start;
    const end = endOf(begin);
    if (finer.length === 0) use(begin, end);
    else {
      yield* eachPiece(text.slice(begin, end), finer, (from, to) => use(begin + from, begin + to));
    }
    start = end;
  }
}

/** Undefined if the name is not known here. */
export function findPreTokenizer(name: string): PreTokenizer | undefined {
  const family = families.find((candidate) => candidate.names.includes(name));
  if (family === undefined) return undefined;
  const cuts = family.expressions.map((expression) =>
    expression === digitTriples ? cutDigitTriples : cutAt(expression),
  );
  return {
    name,
    cuts,
    expressions: family.expressions,
    ignoresMerges: family.ignoresMerges ?? false,
    addsBos: family.addsBos ?? false,
  };
}

export function preTokenizerNames(): readonly string[] {
  return families.flatMap((family) => family.names);
}

/** Where a match begins or ends: what the expression does not match is a piece of its own. */
function cutAt(expression: string): Cut {
  const match = compileExpression(expression);
  return (text) => (start) => {
    for (let at = start; at < text.length; at += widthAt(text, at)) {
      const end = match(text, at);
      if (end >= 0) return at > start ? at : end;
    }
    return text.length;
  };
}

function widthAt(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}

const digitTriples = "digit triples";
const number = compileExpression("\\p{N}+");
const triple = compileExpression("\\p{N}{1,3}");

/** Numbers in groups of three from the right ("1234" is "1", "234"): AFMoE's rule, without its quadratic lookahead. */
const cutDigitTriples: Cut = (text) => {
  const cutNumbers = cutAt("\\p{N}+")(text);
  /** Where the number at hand ends: from its first group on, all others have three digits. */
  let numberEnd = 0;
  return (start) => {
    if (start < numberEnd) return triple(text, start);
    const end = number(text, start);
    if (end < 0) return cutNumbers(start);
    numberEnd = end;
    let digits = 0;
    for (let at = start; at < end; at += widthAt(text, at)) digits++;
    let first = start;
    for (let left = digits % 3 || 3; left > 0; left--) first += widthAt(text, first);
    return first;
  };
};

interface Family {
  readonly names: readonly string[];
  readonly expressions: readonly string[];
  readonly ignoresMerges?: boolean;
  readonly addsBos?: boolean;
}

const contraction = "'(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])";
const space = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
/** Llama 3's shape, which differs between models in how many digits go together. */
const llama3 = (digits: string): string =>
  `${contraction}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${space}`;

/** Words in which capitals come first, of GPT-4o and its relatives. */
const casedWords = (after: string): string => {
  const upper = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
  const lower = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
  const before = "[^\\r\\n\\p{L}\\p{N}]?";
  return `${before}${upper}*${lower}+${after}|${before}${upper}+${lower}*${after}`;
};
const symbolsAndSpace = ` ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${space}`;

/** Letters that have case, as DeepSeek LLM's tokenizer lists them. */
const deepseekLetters =
  "A-Za-z\\xb5\\xc0-\\xd6\\xd8-\\u01ba\\u01bc-\\u01bf\\u01c4-\\u0293\\u0295-\\u02af\\u0370-\\u0373" +
  "\\u0376\\u0377\\u037b-\\u037d\\u037f\\u0386\\u0388-\\u038a\\u038c\\u038e-\\u03a1\\u03a3-\\u03f5" +
  "\\u03f7-\\u0481\\u048a-\\u052f\\u0531-\\u0556\\u10a0-\\u10c5\\u13a0-\\u13f5\\u13f8-\\u13fd" +
  "\\u1c90-\\u1cba\\u1cbd-\\u1cbf\\u1d00-\\u1d2b\\u1d6b-\\u1d77\\u1d79-\\u1d9a\\u1e00-\\u1f15" +
  "\\u1f18-\\u1f1d\\u1f20-\\u1f45\\u1f48-\\u1f4d\\u1f50-\\u1f57\\u1f59\\u1f5b\\u1f5d\\u1f5f-\\u1f7d" +
  "\\u1f80-\\u1fb4\\u1fb6-\\u1fbc\\u1fbe\\u1fc2-\\u1fc4\\u1fc6-\\u1fcc\\u1fd0-\\u1fd3\\u1fd6-\\u1fdb" +
  "\\u1fe0-\\u1fec\\u1ff2-\\u1ff4\\u1ff6-\\u1ffc\\u2102\\u2107\\u210a-\\u2113\\u2115\\u2119-\\u211d" +
  "\\u2124\\u2126\\u2128\\u212a-\\u212d\\u212f-\\u2134\\u2139\\u213c-\\u213f\\u2145-\\u2149\\u214e" +
  "\\u2183\\u2184\\u2c00-\\u2c7b\\u2c7e-\\u2ce4\\u2ceb-\\u2cee\\u2cf2\\u2cf3\\ua640-\\ua66d" +
  "\\ua680-\\ua69b\\ua722-\\ua76f\\ua771-\\ua787\\ua78b-\\ua78e\\uab70-\\uabbf\\ufb00-\\ufb06" +
  "\\ufb13-\\ufb17\\uff21-\\uff3a\\uff41-\\uff5a\\u{10400}-\\u{1044f}\\u{104b0}-\\u{104d3}" +
  "\\u{104d8}-\\u{104fb}\\u{10c80}-\\u{10cb2}\\u{10cc0}-\\u{10cf2}\\u{118a0}-\\u{118df}" +
  "\\u{1e900}-\\u{1e943}";
const deepseekPunctuation = "!-/:-~\\uff01-\\uff0f\\uff1a-\\uff5e\\u2018-\\u201f\\u3000-\\u3002";
const deepseekIdeographs = "[\\u4e00-\\u9fa5\\u0800-\\u4e00\\uac00-\\ud7ff]+";
const deepseek3Words =
  "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+" +
  `| ?[\\p{P}\\p{S}]+[\\r\\n]*|${space}`;
const bloomWords = " ?[^(\\s|.,!?\\u2026\\u3002\\uff0c\\u3001\\u0964\\u06d4\\u060c)]+";
const asianScripts =
  "[\\u4e00-\\u9fff\\u3400-\\u4dbf\\uf900-\\ufaff\\u3040-\\u309f\\u30a0-\\u30ff\\uff65-\\uff9f" +
  "\\u2f00-\\u2fdf\\u0e00-\\u0e7f\\u0e80-\\u0eff\\u1780-\\u17ff\\u1000-\\u109f\\uaa60-\\uaa7f" +
  "\\ua9e0-\\ua9ff\\uac00-\\ud7af\\u1100-\\u11ff]+";

const families: readonly Family[] = [
  {
    names: ["default"],
    expressions: ["[\\p{P}$+<=>^~|]+", gpt2, "\\p{N}+", "[0-9][0-9][0-9]"],
  },
  {
    names: (
      "gpt-2 phi-2 gigachat a.x-4.0 mellum modern-bert mpt olmo jais exaone4 trillion " +
      "granite-docling"
    ).split(" "),
    expressions: [gpt2],
  },
  {
    names: "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2".split(" "),
    expressions: [llama3("\\p{N}{1,3}")],
    ignoresMerges: true,
    addsBos: true,
  },
  {
    names: ["dbrx", "smaug-bpe", "glm4", "chatglm-bpe"],
    expressions: [llama3("\\p{N}{1,3}")],
  },
  {
    names: ["minicpm5"],
    expressions: ["\\p{N}{1,3}", llama3("\\p{N}+")],
    ignoresMerges: true,
  },
  {
    names: ["falcon"],
    expressions: ["[\\p{P}$+<=>^~|`]+", gpt2, "[0-9][0-9][0-9]"],
  },
  {
    names: "starcoder refact command-r smollm codeshell exaone minerva-7b mellum2".split(" "),
    expressions: ["\\p{N}", gpt2],
  },
  {
    names: ["deepseek-coder"],
    expressions: ["[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", deepseekIdeographs, "\\p{N}"],
  },
  {
    names: ["deepseek-llm"],
    expressions: [
      "[\\r\\n]",
      `\\s?[${deepseekLetters}]+`,
      `\\s?[${deepseekPunctuation}]+`,
      "(?<!\\s)\\s+$",
      deepseekIdeographs,
      "\\p{N}+",
    ],
  },
  {
    names: ["deepseek-v3", "hunyuan-dense", "joyai-llm"],
    expressions: ["\\p{N}{1,3}", "[\\u4e00-\\u9fa5\\u3040-\\u30ff]+", deepseek3Words],
  },
  {
    names: "qwen2 deepseek-r1-qwen kormo megrez stablelm2 hunyuan solar-open grok-2".split(" "),
    expressions: [llama3("\\p{N}")],
  },
  {
    names: ["qwen35"],
    expressions: [
      `${contraction}|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}` +
        `| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|${space}`,
    ],
  },
  {
    names: ["laguna"],
    expressions: ["[^\\n]+|[\\n]+", llama3("\\p{N}")],
  },
  {
    names: ["seed-coder"],
    expressions: [
      `${contraction}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|${space}`,
    ],
  },
  {
    names: ["bailingmoe", "bailingmoe2", "llada-moe"],
    expressions: [
      `${contraction}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*` +
        "|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
    ],
  },
  {
    names: ["bloom", "poro-chat", "gpt3-finnish"],
    expressions: [bloomWords],
  },
  {
    names: ["viking"],
    expressions: [bloomWords, "\\p{N}"],
  },
  {
    names: ["tekken"],
    expressions: [`${casedWords("")}|\\p{N}|${symbolsAndSpace}`],
    ignoresMerges: true,
    addsBos: true,
  },
  {
    names: ["gpt-4o", "llama4", "kanana2", "minimax-m2"],
    expressions: [`${casedWords(`(?:${contraction})?`)}|\\p{N}{1,3}|${symbolsAndSpace}`],
  },
  {
    names: ["afmoe"],
    expressions: [digitTriples, asianScripts, deepseek3Words],
  },
];
