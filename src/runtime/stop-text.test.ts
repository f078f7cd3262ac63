import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StopText } from "./stop-text.ts";

function feed(stops: readonly string[], pieces: readonly string[]): string {
  const subject = new StopText(stops);
  return pieces.map((piece) => subject.push(piece).shown).join("") + subject.end().shown;
}

describe("stop strings", () => {
  it("cut the text where the first one begins, also across pieces", () => {
    expect(feed(["END"], ["one E", "N", "D two"])).toBe("one ");
  });

  it("hold back a beginning of a stop string until it is decided", () => {
    const subject = new StopText(["</s>"]);
    expect(subject.push("a<").shown).toBe("a");
    expect(subject.push("/b").shown).toBe("</b");
    expect(subject.found).toBeUndefined();
  });

  it("give what the whole text cut at its earliest stop string gives, however it is split", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 12 });
    const stops = fc.array(
      fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 3 }),
    );
    fc.assert(
      fc.property(fc.array(letters), stops, (pieces, stopStrings) => {
        const whole = pieces.join("");
        // The stream stops at the stop string that completes first.
        const ends = stopStrings.map((s) => ({ at: whole.indexOf(s), s })).filter((e) => e.at >= 0);
        const streamed = feed(stopStrings, pieces);
        if (ends.length === 0) expect(streamed).toBe(whole);
        else {
          expect(whole.startsWith(streamed)).toBe(true);
          for (const stop of stopStrings) expect(streamed.includes(stop)).toBe(false);
          expect(streamed.length).toBeLessThanOrEqual(Math.max(...ends.map((e) => e.at)));
        }
      }),
      { seed: 5 },
    );
  });

  it.each<[string, readonly string[], readonly (readonly [string, string])[], string, boolean]>([
    [
      "alone",
      ["<|end|>"],
      [
        ["a", ""],
        ["", "<|end|>"],
        ["b", ""],
      ],
      "a",
      true,
    ],
    [
      "behind text",
      ["x<|end|>"],
      [
        ["ax", ""],
        ["", "<|end|>"],
        ["b", ""],
      ],
      "a",
      true,
    ],
    [
      "before text",
      ["<|end|>b"],
      [
        ["a", ""],
        ["", "<|end|>"],
        ["bc", ""],
      ],
      "a",
      true,
    ],
    [
      "twice",
      ["<|a|><|b|>"],
      [
        ["x", ""],
        ["", "<|a|>"],
        ["", "<|b|>"],
      ],
      "x",
      true,
    ],
    [
      "between what is shown as one",
      ["ab"],
      [
        ["xa", ""],
        ["", "<|end|>"],
        ["b", ""],
      ],
      "x",
      true,
    ],
    [
      "nowhere",
      ["x<|end|>"],
      [
        ["ax", ""],
        ["", "<|e|>"],
        ["x", ""],
      ],
      "axx",
      false,
    ],
    [
      "undecided at the end",
      ["<|end|>b"],
      [
        ["a", ""],
        ["", "<|end|>"],
      ],
      "a",
      false,
    ],
  ])("see control tokens that are not shown, %s", (_, stops, pieces, expected, found) => {
    const subject = new StopText(stops);
    const released = [...pieces.map((piece) => subject.push(...piece)), subject.end()];
    expect(released.map(({ shown }) => shown).join("")).toBe(expected);
    const written = pieces.map((piece) => piece.join("")).join("");
    expect(written.startsWith(released.map((one) => one.written).join(""))).toBe(true);
    expect(subject.found !== undefined).toBe(found);
  });

  it("are told apart: the first one in the text counts, of two in one place the first given", () => {
    const found = (stops: readonly string[], text: string): string | undefined => {
      const subject = new StopText(stops);
      subject.push(text);
      return subject.found;
    };
    expect(found(["two", "one"], "one two")).toBe("one");
    expect(found(["on", "one"], "a one")).toBe("on");
    expect(found(["x"], "a one")).toBeUndefined();
  });

  it("keep no text that can no longer become a stop string", () => {
    const subject = new StopText(["<|end|>"]);
    for (let index = 0; index < 1000; index++) {
      const hidden = index % 2 === 0 ? "<|other|>" : "";
      expect(subject.push("a", hidden)).toEqual({ shown: "a", written: `a${hidden}` });
    }
  });
});
