/** Finds where JSON values end in a text that grows, and where the members of a whole one stand. It does not judge them. */

/** Reads one object or list, piece by piece, each character once. */
export class JsonExtent {
  #depth = 0;
  #isInString = false;
  #isEscaped = false;

  /** The place in `piece` behind the value, read from `start` on; undefined while it goes on. */
  end(piece: string, start = 0): number | undefined {
    for (let at = start; at < piece.length; at++) {
      const code = piece.charCodeAt(at);
      if (this.#isInString) this.#readInString(code);
      else if (code === quote) this.#isInString = true;
      else if (code === openBrace || code === openBracket) this.#depth++;
      else if ((code === closeBrace || code === closeBracket) && --this.#depth === 0) return at + 1;
    }
    return undefined;
  }

  #readInString(code: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (code === backslash) this.#isEscaped = true;
    else if (code === quote) this.#isInString = false;
  }
}

const quote = 0x22;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** `text`: one valid object. Its members' values as they are written; the last of equal keys counts. */
export function membersOf(text: string): ReadonlyMap<string, string> {
  const members = new Map<string, string>();
  for (const part of partsOf(text)) {
    const [head = "", written] = /^\s*("[^"\\]*(?:\\.[^"\\]*)*")\s*:/s.exec(part) ?? [];
    if (written === undefined) continue;
    const key: unknown = JSON.parse(written);
    members.set(String(key), part.slice(head.length).trim());
  }
  return members;
}

/** `text`: one valid list. Its items as they are written. */
export function itemsOf(text: string): readonly string[] {
  return partsOf(text).map((part) => part.trim());
}

/** What stands between the commas of the outermost value. */
function partsOf(text: string): readonly string[] {
  const inner = text.trim().slice(1, -1);
  if (inner.trim() === "") return [];
  const parts: string[] = [];
  let begin = 0;
  let at = 0;
  while (at < inner.length) {
    const character = inner[at];
    if (character === '"') at = stringEnd(inner, at);
    else if (character === "{" || character === "[") {
      at = new JsonExtent().end(inner, at) ?? inner.length;
    } else if (character === ",") {
      parts.push(inner.slice(begin, at));
      begin = ++at;
    } else at++;
  }
  parts.push(inner.slice(begin));
  return parts;
}

function stringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}
