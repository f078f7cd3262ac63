import { describe, expect, it } from "vitest";
import { checkKeys } from "./options.ts";

describe("option keys", () => {
  it("pass when they are known", () => {
    expect(() => checkKeys({ topK: 1 }, ["topK", "topP"], "sampling")).not.toThrow();
  });

  it("are refused with the nearest known name", () => {
    expect(() => checkKeys({ maxtokens: 1 }, ["topK", "maxTokens"], "generate")).toThrow(
      'generate option: "maxtokens" is not usable; expected one that exists; did you mean "maxTokens"?',
    );
  });

  it("are refused with all names where none is near", () => {
    expect(() => checkKeys({ foo: 1 }, ["topK", "maxTokens"], "generate")).toThrow(
      'generate option: "foo" is not usable; expected one that exists; the options are topK, maxTokens',
    );
  });
});
