/** Maths in Markdown: $…$, $$…$$, \(…\) and \[…\], as models write them. A price in dollars is none. */
import type { TokenizerAndRendererExtension } from "marked";

export interface MathsToken {
  readonly type: "maths" | "maths-block";
  readonly raw: string;
  readonly tex: string;
}

const inline = [
  /^\$\$(?!\$)((?:\\.|[^\\$])+?)\$\$/s,
  // Closed before a digit it would be "costs $5 and $6".
  /^\$(?![\s$])((?:\\.|[^\\$\n])*?(?:\\.|[^\\$\s]))\$(?!\d)/,
  /^\\\(([^\n]+?)\\\)/,
  /^\\\[([^\n]+?)\\\]/,
];

const block = [
  /^ {0,3}\$\$(?!\$)((?:\\.|[^\\$])+?)\$\$[ \t]*(?:\n|$)/s,
  /^ {0,3}\\\[(.+?)\\\][ \t]*(?:\n|$)/s,
];

function token(
  type: MathsToken["type"],
  patterns: readonly RegExp[],
  source: string,
): MathsToken | undefined {
  for (const pattern of patterns) {
    const [raw, tex] = pattern.exec(source) ?? [];
    if (raw !== undefined && tex !== undefined) return { type, raw, tex: tex.trim() };
  }
  return undefined;
}

/** For marked. Where it could begin: so far other rules may read. */
export const mathsExtensions: TokenizerAndRendererExtension[] = [
  {
    name: "maths-block",
    level: "block",
    start: (source) => indexOf(source, /(?:^|\n) {0,3}(?:\$\$|\\\[)/),
    tokenizer: (source) => token("maths-block", block, source),
  },
  {
    name: "maths",
    level: "inline",
    start: (source) => indexOf(source, /\$|\\[([]/),
    tokenizer: (source) => token("maths", inline, source),
  },
];

function indexOf(source: string, pattern: RegExp): number | undefined {
  const at = source.search(pattern);
  return at < 0 ? undefined : at;
}
