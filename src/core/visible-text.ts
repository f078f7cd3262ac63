/**
 * Shows text that comes from elsewhere (files, models, servers) in a terminal or a message: as one line of bounded
 * length in which nothing acts, hides or forges. Not an encoding: what was shown cannot be read back.
 */

/**
 * What acts on a terminal or is not seen: controls (C0, DEL, C1), formats (bidi marks, joiners, soft hyphens, tags), line
 * and paragraph separators, lone surrogates, and what fonts leave blank (fillers, variation selectors).
 */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;
const unseenInLines = /[\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]|(?!\n)\p{Cc}/gu;

const shortNames: ReadonlyMap<string, string> = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

/** Characters of a whole message: some forty lines of a terminal, and no message of ours comes near. */
export const maxMessageCharacters = 4000;

/** Characters of one name or value within a message: two lines of a terminal; a path is rarely longer. */
const maxPieceCharacters = 240;

/** One visible line of at most `limit` characters and an ellipsis: ESC becomes `\x1b`, a line break `\n`. */
export function visibleText(text: string, limit: number = maxPieceCharacters): string {
  return shorten(text, limit).replaceAll(unseen, visible);
}

/** The same for text of many lines whose breaks are our own. No limit: our own text has one. */
export function visibleLines(text: string): string {
  return text.replaceAll(unseenInLines, visible);
}

/** JSON that a terminal shows as it is: invisible characters are escaped, and parsing gives the same values. */
export function visibleJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(unseen, (character) =>
    Array.from({ length: character.length }, (_, i) => unicodeEscape(character.charCodeAt(i))).join(
      "",
    ),
  );
}

function visible(character: string): string {
  const short = shortNames.get(character);
  if (short !== undefined) return short;
  const code = character.codePointAt(0) ?? 0;
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code <= 0xffff ? unicodeEscape(code) : `\\u{${code.toString(16)}}`;
}

function unicodeEscape(code: number): string {
  return `\\u${code.toString(16).padStart(4, "0")}`;
}

/** Never between the halves of a surrogate pair: a half would be shown as an escape that the text does not have. */
function shorten(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const last = text.charCodeAt(limit - 1);
  const end = last >= 0xd800 && last <= 0xdbff ? limit - 1 : limit;
  return `${text.slice(0, end)}…`;
}
