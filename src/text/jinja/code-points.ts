/** Texts by code points, as Python counts them; JavaScript counts UTF-16 units. */
import type { Budget } from "./limits.ts";

const surrogate = /[\ud800-\udfff]/;

/** True if every unit is a code point of its own. */
function isPlain(text: string): boolean {
  return !surrogate.test(text);
}

export function countCodePoints(text: string, budget: Budget): number {
  budget.read(text.length);
  if (isPlain(text)) return text.length;
  let count = 0;
  for (const _ of text) count++;
  return count;
}

export function codePointsOf(text: string, budget: Budget): readonly string[] {
  budget.makeItems(text.length);
  return isPlain(text) ? text.split("") : Array.from(text);
}

/** The first code point, and the rest. */
export function splitFirst(text: string): readonly [first: string, rest: string] {
  const [first = ""] = text;
  return [first, text.slice(first.length)];
}

/** text[index]; undefined beyond its end. A negative index counts from the end. */
export function codePointAt(text: string, index: number, budget: Budget): string | undefined {
  budget.read(text.length);
  if (isPlain(text)) return text.at(index);
  return codePointsOf(text, budget).at(index);
}

/** text[start:stop] of code points within the text. */
export function sliceCodePoints(text: string, start: number, stop: number, budget: Budget): string {
  budget.read(text.length);
  if (isPlain(text)) return text.slice(start, stop);
  return codePointsOf(text, budget).slice(start, stop).join("");
}

/** The units before the code point with this index. */
export function unitsBefore(text: string, index: number, budget: Budget): number {
  budget.read(text.length);
  if (isPlain(text)) return Math.min(index, text.length);
  return codePointsOf(text, budget).slice(0, index).join("").length;
}
