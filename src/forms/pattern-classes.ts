/** Classes of characters and escapes in a pattern, as ECMA-262 reads them with the flag u. */
import { type CodePoints, codePoints, complement, union } from "./code-points.ts";
import type { TextReader } from "./text-reader.ts";

const digits = codePoints([[0x30, 0x39]]);
const wordCharacters = codePoints([
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
]);
/** WhiteSpace and LineTerminator of ECMA-262. */
const spaces = codePoints([
  [0x9, 0xd],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
]);

const namedClasses: Readonly<Record<string, CodePoints>> = {
  d: digits,
  D: complement(digits),
  w: wordCharacters,
  W: complement(wordCharacters),
  s: spaces,
  S: complement(spaces),
};

const controlEscapes: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 };

/** A class behind its opening bracket. */
export function readClass(reader: TextReader): CodePoints {
  const isNegated = reader.take("^");
  const sets: CodePoints[] = [];
  while (!reader.take("]")) {
    const first = readClassAtom(reader);
    const isRange = reader.peek() === "-" && reader.peek(1) !== "]";
    if (!isRange) {
      sets.push(typeof first === "number" ? [first, first] : first);
      continue;
    }
    reader.next();
    const last = readClassAtom(reader);
    if (typeof first !== "number" || typeof last !== "number") {
      throw reader.error("has a range from or to a class");
    }
    if (last < first) throw reader.error("has a range whose end is before its beginning");
    sets.push([first, last]);
  }
  const set = union(sets);
  return isNegated ? complement(set) : set;
}

/** \d, \p{L} and the like, behind the backslash; undefined where it is the escape of one character. */
export function classEscape(reader: TextReader): CodePoints | undefined {
  const letter = reader.peek();
  const named = Object.hasOwn(namedClasses, letter) ? namedClasses[letter] : undefined;
  if (named !== undefined) {
    reader.next();
    return named;
  }
  if (letter !== "p" && letter !== "P") return undefined;
  reader.next();
  if (!reader.take("{")) throw reader.error("needs { behind \\p");
  const name = reader.takeWhile((character) => /^[A-Za-z0-9_=]$/.test(character));
  if (!reader.take("}")) throw reader.error("needs } behind the property's name");
  const property = propertyOf(name);
  if (property === undefined) throw reader.error(`names no Unicode property (${name})`);
  return letter === "p" ? property : complement(property);
}

/** The escape of one character, behind the backslash. */
export function characterEscape(reader: TextReader): number {
  const letter = reader.next();
  const control = Object.hasOwn(controlEscapes, letter) ? controlEscapes[letter] : undefined;
  if (control !== undefined) return control;
  switch (letter) {
    case "":
      throw reader.error("ends with a backslash");
    case "0":
      return 0;
    case "x":
      return reader.hexadecimal(2);
    case "c":
      return controlLetter(reader);
    case "u":
      return unicodeEscape(reader);
    default:
      // A letter or digit may get a meaning; anything else stands for itself.
      if (/^[A-Za-z0-9]$/.test(letter)) throw reader.error(`has an unknown escape \\${letter}`);
      return letter.codePointAt(0) ?? 0;
  }
}

function readClassAtom(reader: TextReader): number | CodePoints {
  if (reader.isAtEnd) throw reader.error("needs ] here");
  if (!reader.take("\\")) return reader.next().codePointAt(0) ?? 0;
  if (reader.take("b")) return 8;
  return classEscape(reader) ?? characterEscape(reader);
}

function controlLetter(reader: TextReader): number {
  const letter = reader.next();
  if (!/^[A-Za-z]$/.test(letter)) throw reader.error("needs a letter behind \\c");
  return (letter.codePointAt(0) ?? 0) % 32;
}

function unicodeEscape(reader: TextReader): number {
  if (reader.take("{")) {
    const digits = reader.takeWhile((character) => /^[0-9a-fA-F]$/.test(character));
    const point = Number.parseInt(digits, 16);
    if (!reader.take("}") || !(point <= 0x10ffff))
      throw reader.error("needs a code point in \\u{…}");
    return point;
  }
  const high = reader.hexadecimal(4);
  const isHigh = high >= 0xd800 && high <= 0xdbff;
  if (!isHigh || reader.peek() !== "\\" || reader.peek(1) !== "u") return high;
  const before = reader.position;
  reader.take("\\u");
  const low = reader.hexadecimal(4);
  if (low >= 0xdc00 && low <= 0xdfff) return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
  reader.position = before;
  return high;
}

/** All characters, in stretches within which each takes as many units of UTF-16; and the surrogates. */
const stretches: readonly (readonly [first: number, last: number, units: number])[] = [
  [0, 0xd7ff, 1],
  [0xe000, 0xffff, 1],
  [0x10000, 0x10ffff, 2],
];
const surrogates: readonly [first: number, last: number] = [0xd800, 0xdfff];

/** As JavaScript's own engine finds it in a text of all characters: 15 ms, of the Unicode version that Node has. */
function propertyOf(name: string): CodePoints | undefined {
  let runs: RegExp;
  try {
    runs = new RegExp(`\\p{${name}}+`, "gu");
  } catch {
    return undefined;
  }
  const ranges: [number, number][] = [];
  for (const [first, last, units] of stretches) {
    for (const { 0: run, index } of charactersFrom(first, last, units).matchAll(runs)) {
      const from = first + index / units;
      ranges.push([from, from + run.length / units - 1]);
    }
  }
  // Side by side they would be pairs.
  for (let point = surrogates[0]; point <= surrogates[1]; point++) {
    runs.lastIndex = 0;
    if (runs.test(String.fromCharCode(point))) ranges.push([point, point]);
  }
  return codePoints(ranges);
}

function charactersFrom(first: number, last: number, units: number): string {
  const text = new Uint16Array(units * (last - first + 1));
  for (let point = first, at = 0; point <= last; point++) {
    if (units === 2) text[at++] = 0xd800 + ((point - 0x10000) >> 10);
    text[at++] = units === 2 ? 0xdc00 + (point & 0x3ff) : point;
  }
  return Buffer.from(text.buffer).toString("utf16le");
}
