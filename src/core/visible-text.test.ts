import { describe, expect, it } from "vitest";
import {
  DeviceError,
  FileFormatError,
  HearthError,
  LimitError,
  OptionError,
  ShapeError,
  StalePlanError,
  UnsupportedError,
} from "./errors.ts";
import { maxMessageCharacters, visibleJson, visibleLines, visibleText } from "./visible-text.ts";

/** One of each kind: C0, DEL, C1, bidi controls, zero width, separators, tags, fillers, selectors, lone surrogates. */
const hostile =
  "a\u001b[31m\u0007\b\r\n\t\u007f\u009b1m\u0085\u00ad\u061c\u200b\u200d\u200e\u202e\u2066\u2028\u2029\ufeff\u{e0041}\u3164\ufe0f\ud800z";

describe("visible text", () => {
  it("has every unseen character written out, in one line", () => {
    expect(visibleText(hostile)).toBe(
      "a\\x1b[31m\\x07\\x08\\r\\n\\t\\x7f\\x9b1m\\x85\\xad\\u061c\\u200b\\u200d\\u200e\\u202e\\u2066\\u2028\\u2029\\ufeff\\u{e0041}\\u3164\\ufe0f\\ud800z",
    );
  });

  it("leaves what is seen as it is: letters of every script, emoji, combining marks", () => {
    const text = 'Grüße "日本" עברית 👍 e\u0301 C:\\x';
    expect(visibleText(text)).toBe(text);
  });

  it("is bounded, and never cut inside a surrogate pair", () => {
    expect(visibleText("x".repeat(1000), 10)).toBe(`${"x".repeat(10)}…`);
    expect(visibleText("👍👍👍", 3)).toBe("👍…");
    expect(visibleText("👍👍", 4)).toBe("👍👍");
    expect(visibleText("\u001b".repeat(10 ** 6)).length).toBeLessThan(1000);
  });

  it("of many lines keeps only the breaks", () => {
    expect(visibleLines("a\nb\u001b[2J\rc\u2028\u202e")).toBe("a\nb\\x1b[2J\\rc\\u2028\\u202e");
  });

  it("as JSON is seen and parses to the same value", () => {
    const value = { [hostile]: [hostile, 1, null] };
    const json = visibleJson(value);
    expect(json).toBe(visibleText(json, json.length));
    expect(JSON.parse(json)).toEqual(value);
  });
});

describe("errors", () => {
  const errors: readonly HearthError[] = [
    new HearthError(hostile),
    new FileFormatError({ file: hostile, where: hostile, found: hostile, expected: hostile }),
    new UnsupportedError(hostile, [hostile], hostile),
    new ShapeError(hostile, hostile, hostile),
    new OptionError(hostile, hostile, hostile),
    new LimitError(hostile),
    new DeviceError(hostile),
    new StalePlanError([hostile], hostile, hostile),
  ];

  it.each(errors.map((error) => [error.name, error] as const))(
    "of class %s have a message of one visible line",
    (_, error) => {
      expect(error.message).toContain("\\x1b[31m");
      expect(error.message).toBe(visibleText(error.message, error.message.length));
    },
  );

  it("stay short and keep their advice, however long what was found is", () => {
    const long = "\u001b".repeat(10 ** 6);
    const error = new FileFormatError({ file: long, where: long, found: long, expected: "advice" });
    expect(error.message.length).toBeLessThan(maxMessageCharacters);
    expect(error.message).toMatch(/advice$/);
    expect(new OptionError("a", long, "advice").message).toMatch(/advice$/);
    expect(new LimitError(long).message.length).toBeLessThan(5 * maxMessageCharacters);
  });

  it("keep in their fields what was really found", () => {
    const problem = { file: hostile, where: hostile, found: hostile, expected: "" };
    expect(new FileFormatError(problem)).toMatchObject({ file: hostile, found: hostile });
  });
});
