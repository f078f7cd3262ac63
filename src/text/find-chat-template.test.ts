import { describe, expect, it } from "vitest";
import { metadataOf } from "../../test/fixtures/vocabulary-metadata.ts";
import { findChatTemplate } from "./find-chat-template.ts";

const find = (record: Record<string, unknown>) => findChatTemplate(metadataOf(record));
const one = "tokenizer.chat_template";
const names = "tokenizer.chat_templates";

describe("the chat template of a file", () => {
  it("is the one it has", () => {
    expect(find({ [one]: "a" })).toEqual({ source: "a" });
    expect(find({ [one]: "a", [names]: ["tool"], [`${one}.tool`]: "b" })).toEqual({ source: "a" });
    expect(find({})).toEqual({ source: undefined });
  });

  it("is the default of several named ones", () => {
    const record = { [names]: ["tool", "default"], [`${one}.tool`]: "b", [`${one}.default`]: "c" };
    expect(find(record)).toEqual({ source: "c" });
    expect(find({ [`${one}.default`]: "c" })).toEqual({ source: "c" });
    expect(find({ [names]: ["tool", "default"], [one]: ["b", "c"] })).toEqual({ source: "c" });
  });

  it("is the first of several where none is the default, and the notice says which", () => {
    const keys = { [names]: ["tool", "rag"], [`${one}.tool`]: "b", [`${one}.rag`]: "c" };
    expect(find(keys).source).toBe("b");
    expect(find(keys).notice).toMatch(/2 chat templates.*"tool"/);
    expect(find({ [one]: ["b", "c"] }).source).toBe("b");
    expect(find({ [one]: ["b", "c"] }).notice).toMatch(/"number 1"/);
  });

  it("is the only one of a list, without a notice", () => {
    expect(find({ [one]: ["b"] })).toEqual({ source: "b" });
    expect(find({ [names]: ["tool"], [`${one}.tool`]: "b" })).toEqual({ source: "b" });
  });

  it("is none where the file has something else in its place", () => {
    expect(find({ [one]: [] })).toEqual({ source: undefined });
    expect(find({ [one]: 3 })).toEqual({ source: undefined });
    expect(find({ [names]: ["tool"] })).toEqual({ source: undefined });
  });
});
