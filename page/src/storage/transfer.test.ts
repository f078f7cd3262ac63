/** Conversations that go out as a file and come back, and files that others made. */
import { describe, expect, it } from "vitest";
import type { Message } from "../chat/conversation.ts";
import { type Exported, exportText, importText } from "./transfer.ts";

const base = { conversation: "c", createdAt: 5, state: { kind: "whole" } } as const;
const messages: readonly Message[] = [
  {
    ...base,
    id: "q",
    parent: null,
    role: "user",
    text: "Why?",
    attachments: [{ name: "a", text: "b" }],
  },
  {
    ...base,
    id: "r",
    parent: "q",
    role: "assistant",
    text: "So.",
    reasoning: "Hm.",
    model: "m",
    calls: [{ id: "1", name: "f", arguments: "{}" }],
    numbers: { prompt: 1, cached: 0, completion: 2, promptSpeed: 3, speed: 4 },
  },
];
const kept: Exported = {
  conversation: {
    id: "c",
    title: "Why?",
    createdAt: 1,
    updatedAt: 2,
    model: "m",
    system: "Be kind.",
    settings: { temperature: 0.5, stop: "END", ignore_eos: true },
    shown: { "": "q", q: "r" },
  },
  messages,
};

function counter(): () => string {
  let count = 0;
  return () => `new${count++}`;
}

describe("a file of conversations", () => {
  it("comes back whole, with new ids that lead to each other", () => {
    const [back] = importText(exportText([kept]), counter()) ?? [];
    const [first, second] = back?.messages ?? [];
    expect(back?.conversation).toEqual({
      ...kept.conversation,
      id: first?.conversation,
      shown: { "": first?.id, [first?.id ?? ""]: second?.id },
    });
    expect(first).toEqual({ ...messages[0], id: first?.id, conversation: back?.conversation.id });
    expect(second).toEqual({
      ...messages[1],
      id: second?.id,
      parent: first?.id,
      conversation: back?.conversation.id,
    });
    expect([first?.id, second?.id, back?.conversation.id]).not.toContain("c");
  });

  it.each([
    ["no JSON", "{"],
    ["another format", '{"format":"other","conversations":[]}'],
    ["a list", "[]"],
    ["no conversation", '{"format":"hearth-conversations","conversations":[3]}'],
    ["a role that there is not", withMessage({ id: "a", parent: null, role: "root" })],
    ["a parent that is not there", withMessage({ id: "a", parent: "b", role: "user" })],
    ["its own parent", withMessage({ id: "a", parent: "a", role: "user" })],
  ])("is refused with %s", (_, text) => {
    expect(importText(text, counter())).toBeUndefined();
  });

  it("brings no setting that the panel would not take", () => {
    const settings = { temperature: "warm", top_k: 5, unknown: 1, tools: "no JSON", seed: 1.5 };
    const text = JSON.stringify({ format: "hearth-conversations", conversations: [{ settings }] });
    expect(importText(text, counter())?.[0]?.conversation.settings).toEqual({ top_k: 5 });
  });
});

function withMessage(message: object): string {
  return JSON.stringify({
    format: "hearth-conversations",
    conversations: [{ messages: [message] }],
  });
}
