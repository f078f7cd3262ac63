/** str.isalpha() and its kin. */
import {
  isAllCase,
  isAlphanumeric,
  isDecimal,
  isLetter,
  isPrintable,
  isSpaceText,
  isTitleText,
} from "./letters.ts";
import { isDigit, isNumeric } from "./unicode.ts";

type Predicate = (points: readonly string[]) => boolean;

function every(test: (character: string) => boolean): Predicate {
  return (points) => points.length > 0 && points.every(test);
}

const identifier = /^[\p{ID_Start}_]\p{ID_Continue}*$/u;

export const predicates: ReadonlyMap<string, Predicate> = new Map<string, Predicate>([
  ["isalnum", every(isAlphanumeric)],
  ["isalpha", every(isLetter)],
  ["isascii", (points) => points.every((character) => character < "\x80")],
  ["isdecimal", every(isDecimal)],
  ["isdigit", every(isDigit)],
  ["isidentifier", (points) => identifier.test(points.join(""))],
  ["islower", (points) => isAllCase(points, "lower")],
  ["isnumeric", every(isNumeric)],
  ["isprintable", (points) => points.every(isPrintable)],
  ["isspace", isSpaceText],
  ["istitle", isTitleText],
  ["isupper", (points) => isAllCase(points, "upper")],
]);
