/** Searching, splitting and stripping of texts, as Python's str does. */
import { codePointsOf } from "./code-points.ts";
import { fail } from "./errors.ts";
import type { Run } from "./values.ts";
import { isSpace, trimEnd, trimStart } from "./white-space.ts";

type Side = "both" | "start" | "end";

/** str.strip(characters); white space if they are absent. */
export function strip(text: string, characters: string | undefined, side: Side, run: Run): string {
  run.budget.read(text.length);
  if (characters === undefined) {
    const left = side === "end" ? text : trimStart(text);
    return side === "start" ? left : trimEnd(left);
  }
  const members = new Set(codePointsOf(characters, run.budget));
  const points = codePointsOf(text, run.budget);
  let start = 0;
  let end = points.length;
  if (side !== "end") while (start < end && members.has(points[start] ?? "")) start++;
  if (side !== "start") while (end > start && members.has(points[end - 1] ?? "")) end--;
  return points.slice(start, end).join("");
}

export interface SplitForm {
  /** Absent: runs of white space. */
  readonly separator: string | undefined;
  /** Negative: no limit. */
  readonly most: number;
}

/** str.split() */
export function split(text: string, { separator, most }: SplitForm, run: Run): string[] {
  run.budget.make(text.length);
  if (separator === undefined) return splitAtSpace(text, most, run);
  if (separator === "") fail("value", "empty separator");
  const parts: string[] = [];
  let start = 0;
  while (most < 0 || parts.length < most) {
    const found = text.indexOf(separator, start);
    if (found < 0) break;
    run.budget.makeItems(1);
    parts.push(text.slice(start, found));
    start = found + separator.length;
  }
  parts.push(text.slice(start));
  return parts;
}

function splitAtSpace(text: string, most: number, run: Run): string[] {
  const parts: string[] = [];
  let start = skip(text, 0, true);
  while (start < text.length) {
    run.budget.makeItems(1);
    if (most >= 0 && parts.length >= most) {
      parts.push(text.slice(start));
      break;
    }
    const end = skip(text, start, false);
    parts.push(text.slice(start, end));
    start = skip(text, end, true);
  }
  return parts;
}

/** The first place from `start` on that is not white space, or that is. */
function skip(text: string, start: number, isOverSpace: boolean): number {
  let index = start;
  while (index < text.length && isSpace(text.charAt(index)) === isOverSpace) index++;
  return index;
}

/** str.rsplit() */
export function splitFromEnd(text: string, { separator, most }: SplitForm, run: Run): string[] {
  run.budget.make(text.length);
  if (separator === undefined) return splitAtSpaceFromEnd(text, most, run);
  if (separator === "") fail("value", "empty separator");
  const parts: string[] = [];
  let end = text.length;
  while ((most < 0 || parts.length < most) && end >= separator.length) {
    const found = text.lastIndexOf(separator, end - separator.length);
    if (found < 0) break;
    run.budget.makeItems(1);
    parts.push(text.slice(found + separator.length, end));
    end = found;
  }
  parts.push(text.slice(0, end));
  return parts.reverse();
}

function splitAtSpaceFromEnd(text: string, most: number, run: Run): string[] {
  const parts: string[] = [];
  let end = trimEnd(text).length;
  while (end > 0 && (most < 0 || parts.length < most)) {
    let start = end;
    while (start > 0 && !isSpace(text.charAt(start - 1))) start--;
    run.budget.makeItems(1);
    parts.push(text.slice(start, end));
    end = start;
    while (end > 0 && isSpace(text.charAt(end - 1))) end--;
  }
  if (end > 0) parts.push(text.slice(0, end));
  return parts.reverse();
}

/** What str.splitlines() ends a line at, beside "\\r\\n". */
const lineEnds = "\\n\\r\\v\\f\\x1c-\\x1e\\x85\\u2028\\u2029";
const lineEnd = new RegExp(`\\r\\n|[${lineEnds}]`, "g");

/** str.splitlines() */
export function splitLines(text: string, keepsEnds: boolean, run: Run): string[] {
  run.budget.make(text.length);
  const lines: string[] = [];
  let start = 0;
  for (const { 0: end, index } of text.matchAll(lineEnd)) {
    run.budget.makeItems(1);
    lines.push(text.slice(start, keepsEnds ? index + end.length : index));
    start = index + end.length;
  }
  if (start < text.length) lines.push(text.slice(start));
  return lines;
}

export interface Replacement {
  readonly old: string;
  readonly by: string;
  /** Negative: all. */
  readonly most: number;
}

/** str.replace() */
export function replace(text: string, { old, by, most }: Replacement, run: Run): string {
  run.budget.read(text.length);
  if (most === 0) return text;
  if (old === "") return putBetween(text, by, most, run);
  let found = 0;
  for (let at = text.indexOf(old); at >= 0; at = text.indexOf(old, at + old.length)) {
    found++;
    if (found === most) break;
  }
  run.budget.step(found);
  run.budget.make(text.length + found * (by.length - old.length));
  const parts = text.split(old);
  if (found === parts.length - 1) return parts.join(by);
  return `${parts.slice(0, found + 1).join(by)}${old}${parts.slice(found + 1).join(old)}`;
}

/** Before every character, and at the end. */
function putBetween(text: string, by: string, most: number, run: Run): string {
  const points = codePointsOf(text, run.budget);
  const count = most < 0 ? points.length + 1 : Math.min(most, points.length + 1);
  run.budget.make(text.length + count * by.length);
  const put = points.map((point, index) => (index < count ? by + point : point)).join("");
  return count > points.length ? put + by : put;
}

/** str.partition(): before, separator, after. */
export function partition(text: string, separator: string, run: Run): [string, string, string] {
  if (separator === "") fail("value", "empty separator");
  run.budget.make(text.length);
  const at = text.indexOf(separator);
  if (at < 0) return [text, "", ""];
  return [text.slice(0, at), separator, text.slice(at + separator.length)];
}

/** str.rpartition() */
export function partitionFromEnd(
  text: string,
  separator: string,
  run: Run,
): [string, string, string] {
  if (separator === "") fail("value", "empty separator");
  run.budget.make(text.length);
  const at = text.lastIndexOf(separator);
  if (at < 0) return ["", "", text];
  return [text.slice(0, at), separator, text.slice(at + separator.length)];
}
