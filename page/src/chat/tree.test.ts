/** The tree of messages: what is shown of it, and what belongs together. */
import { describe, expect, it } from "vitest";
import type { Message } from "./conversation.ts";
import { pathOf, pathTo, showing, siblingsOf, subtreeOf } from "./tree.ts";

function message(id: string, parent: string | null, createdAt: number): Message {
  return {
    id,
    parent,
    createdAt,
    conversation: "c",
    role: "user",
    text: id,
    state: { kind: "whole" },
  };
}

/** a ─ b ─ c, beside b: d ─ e; beside a: f */
const all = [
  message("a", null, 1),
  message("b", "a", 2),
  message("c", "b", 3),
  message("d", "a", 4),
  message("e", "d", 5),
  message("f", null, 6),
];
const messages = new Map(all.map((one) => [one.id, one]));
const ids = (list: Iterable<Message>): string => [...list].map(({ id }) => id).join("");
const find = (id: string): Message => all.find((one) => one.id === id) ?? message("", null, 0);

describe("a tree of messages", () => {
  it("shows the newest branch where nothing was chosen", () => {
    expect(ids(pathOf(messages, {}))).toBe("f");
    expect(ids(pathOf(messages, { "": "a" }))).toBe("ade");
  });

  it("shows the branch that was chosen, and remembers the choices inside it", () => {
    const shown = showing(showing({}, find("a")), find("b"));
    expect(ids(pathOf(messages, shown))).toBe("abc");
    const elsewhere = showing(shown, find("f"));
    expect(ids(pathOf(messages, elsewhere))).toBe("f");
    expect(ids(pathOf(messages, showing(elsewhere, find("a"))))).toBe("abc");
  });

  it("goes on with what is there when a chosen message was deleted", () => {
    expect(ids(pathOf(messages, { "": "gone", a: "gone" }))).toBe("f");
  });

  it("names siblings from the oldest on, and the way to a message", () => {
    expect(ids(siblingsOf(messages, find("d")))).toBe("bd");
    expect(ids(siblingsOf(messages, find("f")))).toBe("af");
    expect(ids(pathTo(messages, find("c")))).toBe("abc");
  });

  it("knows all that follows a message", () => {
    expect([...subtreeOf(messages, find("a"))].toSorted().join("")).toBe("abcde");
    expect([...subtreeOf(messages, find("e"))]).toEqual(["e"]);
  });

  it("ends, whatever a file says of parents", () => {
    const circle = new Map([
      ["x", message("x", "y", 1)],
      ["y", message("y", "x", 2)],
    ]);
    expect(pathOf(circle, {})).toEqual([]);
    expect(pathTo(circle, message("x", "y", 1)).length).toBeLessThanOrEqual(2);
    const own = new Map([["", message("", null, 1)]]);
    expect(pathOf(own, { "": "" }).length).toBeLessThanOrEqual(2);
  });
});
