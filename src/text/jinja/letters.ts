/** Upper and lower case and the kinds of characters, as Python's str has them. */

import { isDigit, isNumeric, titleCaseOf } from "./unicode.ts";
import { isSpace } from "./white-space.ts";

const upper = /^\p{Uppercase}$/u;
const lower = /^\p{Lowercase}$/u;
const title = /^\p{Lt}$/u;
const letter = /^\p{L}$/u;
const decimal = /^\p{Nd}$/u;

function isUpper(character: string): boolean {
  return upper.test(character);
}

function isLower(character: string): boolean {
  return lower.test(character);
}

function isTitle(character: string): boolean {
  return title.test(character);
}

export function isLetter(character: string): boolean {
  return letter.test(character);
}

export function isDecimal(character: string): boolean {
  return decimal.test(character);
}

export function isAlphanumeric(character: string): boolean {
  return isLetter(character) || isDecimal(character) || isDigit(character) || isNumeric(character);
}

/** Neither white space nor a control character, but for the blank. */
export function isPrintable(character: string): boolean {
  return character === " " || !/^[\p{C}\p{Z}]$/u.test(character);
}

const cased = /^[\p{Uppercase}\p{Lowercase}\p{Lt}]$/u;
const caseIgnorable = /^\p{Case_Ignorable}$/u;

function isCased(character: string): boolean {
  return cased.test(character);
}

/** The lower case of a character within a text: a sigma at the end of a word is ς. */
function lowerAt(points: readonly string[], index: number): string {
  const character = points[index] ?? "";
  if (character !== "Σ") return character.toLowerCase();
  return isFinal(points, index) ? "ς" : "σ";
}

function isFinal(points: readonly string[], index: number): boolean {
  return isCasedBeyond(points, index, -1) && !isCasedBeyond(points, index, 1);
}

function isCasedBeyond(points: readonly string[], index: number, step: number): boolean {
  let next = index + step;
  while (caseIgnorable.test(points[next] ?? "")) next += step;
  return isCased(points[next] ?? "");
}

/** str.capitalize() */
export function capitalize(points: readonly string[]): string {
  const rest = points.map((_, index) => (index === 0 ? "" : lowerAt(points, index)));
  return titleCaseOf(points[0] ?? "") + rest.join("");
}

/** str.title(): words are runs of cased letters. */
export function toTitle(points: readonly string[]): string {
  let isInWord = false;
  let text = "";
  for (const [index, character] of points.entries()) {
    text += isInWord ? lowerAt(points, index) : titleCaseOf(character);
    isInWord = isCased(character);
  }
  return text;
}

/** str.istitle() */
export function isTitleText(points: readonly string[]): boolean {
  let isInWord = false;
  let hasWord = false;
  for (const character of points) {
    const isBig = isUpper(character) || isTitle(character);
    if (isBig ? isInWord : isLower(character) && !isInWord) return false;
    isInWord = isBig || isLower(character);
    hasWord ||= isInWord;
  }
  return hasWord;
}

export function swapCase(points: readonly string[]): string {
  const swapped = points.map((character, index) => {
    if (isUpper(character)) return lowerAt(points, index);
    return isLower(character) ? character.toUpperCase() : character;
  });
  return swapped.join("");
}

/** Some letter has a case, and none another than `isWanted`. */
export function isAllCase(points: readonly string[], wanted: "upper" | "lower"): boolean {
  const isWanted = wanted === "upper" ? isUpper : isLower;
  const isOther = wanted === "upper" ? isLower : isUpper;
  if (points.some((character) => isOther(character) || isTitle(character))) return false;
  return points.some(isWanted);
}

export function isSpaceText(points: readonly string[]): boolean {
  return points.length > 0 && points.every(isSpace);
}
