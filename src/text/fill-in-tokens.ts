/**
 * The tokens around a text in the middle of another (fill in the middle, https://arxiv.org/abs/2207.14255), by their
 * metadata or else by their text, as llama.cpp finds them.
 */

/** Around what stands before, what stands behind, and what is to be written. */
export interface FillInTokens {
  readonly prefix: number;
  readonly suffix: number;
  readonly middle: number;
  /** In front of a project's name, and of each of its files, where the model has them. */
  readonly repository: number | undefined;
  readonly file: number | undefined;
}

interface Named {
  /** Newer name first: `tokenizer.ggml.NAME_token_id`. */
  readonly keys: readonly string[];
  readonly texts: readonly string[];
}

const named: Readonly<Record<keyof FillInTokens, Named>> = {
  prefix: {
    keys: ["fim_pre", "prefix"],
    texts: [
      "<|fim_prefix|>",
      "<fim-prefix>",
      "<fim_prefix>",
      "<\uff5cfim\u2581begin\uff5c>",
      "<PRE>",
      "\u2581<PRE>",
      "<|code_prefix|>",
      "[PREFIX]",
    ],
  },
  suffix: {
    keys: ["fim_suf", "suffix"],
    texts: [
      "<|fim_suffix|>",
      "<fim-suffix>",
      "<fim_suffix>",
      "<\uff5cfim\u2581hole\uff5c>",
      "<SUF>",
      "\u2581<SUF>",
      "<|code_suffix|>",
      "[SUFFIX]",
    ],
  },
  middle: {
    keys: ["fim_mid", "middle"],
    texts: [
      "<|fim_middle|>",
      "<fim-middle>",
      "<fim_middle>",
      "<\uff5cfim\u2581end\uff5c>",
      "<MID>",
      "\u2581<MID>",
      "<|code_middle|>",
      "[MIDDLE]",
    ],
  },
  repository: {
    keys: ["fim_rep"],
    texts: ["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"],
  },
  file: { keys: ["fim_sep"], texts: ["<|file_sep|>"] },
};

/** All texts by which such tokens are known. */
export const fillInTexts: readonly string[] = Object.values(named).flatMap(({ texts }) => texts);

/** Undefined for a model that was not trained for it. `idOf`: by the name in the metadata. */
export function fillInTokens(
  byText: ReadonlyMap<string, number>,
  idOf: (name: string) => number | undefined,
): FillInTokens | undefined {
  const find = ({ keys, texts }: Named): number | undefined => {
    const ids = [...keys.map(idOf), ...texts.map((text) => byText.get(text))];
    return ids.find((id) => id !== undefined);
  };
  const prefix = find(named.prefix);
  const suffix = find(named.suffix);
  const middle = find(named.middle);
  if (prefix === undefined || suffix === undefined || middle === undefined) return undefined;
  return { prefix, suffix, middle, repository: find(named.repository), file: find(named.file) };
}
