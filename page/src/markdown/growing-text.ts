/** The blocks of a text that grows at its end, as answers do: what is settled is not read again. */
import { Marked, type Token } from "marked";
import { mathsExtensions } from "./maths-tokens.ts";

/** A line break of a model's is one: poems have no two spaces at the ends of their lines. */
const marked = new Marked({ gfm: true, breaks: true }, { extensions: mathsExtensions });

/** Blocks at the end that further text may still change: a list goes on behind an empty line, which is a block, too. */
const open = 3;

export class GrowingText {
  #text = "";
  #blocks: readonly Token[] = [];

  /** Of the whole text. Blocks that are settled stay the same objects. */
  blocks(text: string): readonly Token[] {
    const settled = text.startsWith(this.#text) ? this.#blocks.slice(0, -open) : [];
    const length = settled.reduce((sum, { raw }) => sum + raw.length, 0);
    // marked reads other line breaks as \n: lengths would not fit.
    const from = text.includes("\r") ? 0 : length;
    const begun = from === 0 ? [] : settled;
    this.#blocks = [...begun, ...marked.lexer(text.slice(from))];
    this.#text = text;
    return this.#blocks;
  }
}
