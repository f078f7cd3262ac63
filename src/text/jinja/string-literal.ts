/** What a string between quotes means: Python's codec "unicode-escape", after "backslashreplace". */
import { fail } from "./errors.ts";

const escapeSequence =
  /\\(?:(\n)|([abfnrtv\\'"])|([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([xuUN]))/g;

const letters: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** `written`: between the quotes. */
export function unescapeString(written: string): string {
  if (!written.includes("\\")) return written;
  if (/\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F]/.test(written)) {
    fail("unsupported", "a pair of surrogates, written as two escapes, is not supported");
  }
  return replaceNonAscii(written).replace(
    escapeSequence,
    (_, newline, letter, octal, two, four, eight, broken) => {
      if (newline !== undefined) return "";
      if (letter !== undefined) return letters[letter] ?? letter;
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8));
      if (broken === "N") fail("unsupported", "a character by its name (\\N{…}) is not supported");
      if (broken !== undefined) fail("syntax", `truncated \\${broken} escape in a string`);
      const code = Number.parseInt(two ?? four ?? eight, 16);
      if (code > 0x10ffff) fail("syntax", "illegal Unicode character in a string");
      return String.fromCodePoint(code);
    },
  );
}

/** A character beyond ASCII becomes its escape, which a backslash before it spoils: as Python has it. */
function replaceNonAscii(text: string): string {
  return text.replace(/[^\0-\x7f]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    const hex = code.toString(16);
    if (code < 0x100) return `\\x${hex.padStart(2, "0")}`;
    return code < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
  });
}
