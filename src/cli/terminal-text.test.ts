import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { answerWriter, TerminalText } from "./terminal-text.ts";

const esc = "\u001b";

/** What an answer holds, and what a terminal gets of it. */
const answers: readonly (readonly [string, string, string])[] = [
  ["plain text, breaks, tabs, emoji", "a\n\tb 👍 日本 é\u0301", "a\n\tb 👍 日本 é\u0301"],
  ["colours", `${esc}[31mred${esc}[0m`, "red"],
  ["clearing the screen", `${esc}[2J${esc}[Hx${esc}c`, "x"],
  ["a title ended by BEL", `${esc}]0;title\u0007x`, "x"],
  ["a link ended by ST", `${esc}]8;;http://a${esc}\\text${esc}]8;;${esc}\\`, "text"],
  ["a clipboard write", `${esc}]52;c;cm0gLXJm\u0007x`, "x"],
  ["a device control string", `${esc}P1$q"p${esc}\\x`, "x"],
  ["a privacy message and an application command", `${esc}^a${esc}\\${esc}_b${esc}\\x`, "x"],
  ["8-bit CSI and OSC", "\u009b31mred\u009d0;t\u009cx", "redx"],
  ["a character set", `${esc}(0x${esc})Bz`, "xz"],
  ["carriage return, backspace, BEL, DEL", "ab\r\b\u0007\u007fc", "abc"],
  ["bidi overrides and isolates", "a\u202eb\u2066c\u2069\u202cd", "abcd"],
  ["an unended string up to the line's end", `${esc}]0;never\nnext`, "\nnext"],
  ["two sequences, the first cut short", `${esc}[3${esc}[1mx`, "x"],
  ["a string that another sequence ends", `${esc}]0;t${esc}[1mx`, "x"],
  ["ESC at the very end", `x${esc}`, "x"],
];

describe("an answer on a terminal", () => {
  it.each(answers)("loses %s", (_, answer, shown) => {
    expect(new TerminalText().take(answer)).toBe(shown);
  });

  it.each(answers)("is the same however it is cut: %s", (_, answer, shown) => {
    for (let size = 1; size <= 5; size++) {
      const terminal = new TerminalText();
      let all = "";
      const characters = [...answer];
      for (let at = 0; at < characters.length; at += size) {
        all += terminal.take(characters.slice(at, at + size).join(""));
      }
      expect(all).toBe(shown);
    }
  });

  it("is not swallowed by a string that never ends", () => {
    const text = "word ".repeat(2000);
    const shown = new TerminalText().take(`${esc}]0;${text}`);
    expect(shown.length).toBeGreaterThan(text.length - 2100);
    expect(text.endsWith(shown)).toBe(true);
  });

  it("never holds a control, whatever the model writes", () => {
    let state = 1;
    const next = (): number => {
      state = (state * 48271) % 2147483647;
      return state;
    };
    const alphabet = [
      "\u001b",
      "[",
      "]",
      "P",
      "\\",
      "0",
      ";",
      "m",
      "\u009b",
      "\u009d",
      "\u0007",
      "\u202e",
      "\n",
      "x",
      "\u0018",
      "(",
    ];
    for (let round = 0; round < 2000; round++) {
      const terminal = new TerminalText();
      let shown = "";
      for (let i = 0; i < 40; i++) shown += terminal.take(alphabet[next() % alphabet.length] ?? "");
      expect(shown).not.toMatch(/(?![\n\t])\p{Cc}|\u202e/u);
    }
  });

  it("goes into a pipe untouched, and filtered to a terminal", () => {
    const written = (isTTY: boolean): string => {
      const output = Object.assign(new PassThrough(), { isTTY });
      const write = answerWriter(output as unknown as NodeJS.WriteStream);
      write(`${esc}[3`);
      write("1mred");
      return String(output.read());
    };
    expect(written(false)).toBe(`${esc}[31mred`);
    expect(written(true)).toBe("red");
  });
});
