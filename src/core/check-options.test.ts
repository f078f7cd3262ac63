import { describe, expect, it } from "vitest";
import {
  checkOptions,
  choiceRule,
  countRule,
  flagRule,
  functionRule,
  signalRule,
  textListRule,
} from "./check-options.ts";
import { OptionError } from "./errors.ts";

const rules = { topK: countRule(0), maxTokens: countRule(0, 10), stop: textListRule };
const check = (options: unknown) => () => checkOptions(options, rules, "generate");

describe("options", () => {
  it("pass when they are known and keep to their rule", () => {
    expect(check({ topK: 1, maxTokens: 10, stop: ["a"] })).not.toThrow();
  });

  it("are not given when they are undefined", () => {
    expect(check({ topK: undefined })).not.toThrow();
  });

  it("are refused with the nearest known name", () => {
    expect(check({ maxtokens: 1 })).toThrow(
      'generate has no option "maxtokens"; did you mean "maxTokens"?',
    );
  });

  it("are refused with all names where none is near", () => {
    expect(check({ foo: 1 })).toThrow(
      'generate has no option "foo"; the options are topK, maxTokens, stop',
    );
  });

  it.each([
    [null, "generate options: null is not usable; expected an object"],
    [3, "generate options: 3 is not usable; expected an object"],
    [["a"], 'generate options: a list of "a", … is not usable; expected an object'],
    [{ topK: "4" }, 'topK: "4" is not usable; expected a whole number of at least 0'],
    [{ topK: null }, "topK: null is not usable"],
    [{ maxTokens: 11 }, "maxTokens: 11 is not usable; expected a whole number from 0 to 10"],
    [{ maxTokens: Number.NaN }, "maxTokens: NaN is not usable"],
    [{ stop: "b" }, 'stop: "b" is not usable; expected a list of texts that are not empty'],
    [{ stop: [""] }, "stop:"],
    [{ topK: () => 1 }, "topK: a function is not usable"],
    [{ topK: new Map() }, "topK: a Map is not usable"],
    [{ constructor: 1 }, 'generate has no option "constructor"'],
  ])("%j is refused, with what was found", (options, message) => {
    expect(check(options)).toThrow(OptionError);
    expect(check(options)).toThrow(message);
  });

  it("know flags, functions, signals and choices", () => {
    expect([flagRule.accepts(false), flagRule.accepts("no")]).toEqual([true, false]);
    expect([functionRule.accepts(check), functionRule.accepts({})]).toEqual([true, false]);
    expect([new AbortController().signal, {}, 3].map(signalRule.accepts)).toEqual([
      true,
      false,
      false,
    ]);
    expect(["a", "c", 3].map(choiceRule(["a", "b"]).accepts)).toEqual([true, false, false]);
  });
});
