/** A full context forgets the oldest turns and says so. */
import { describe, expect, it } from "vitest";
import { type ChatMessage, DeviceError, LimitError } from "../index.ts";
import { ChatTurns, type WriteAnswer, type WrittenAnswer } from "./chat-turns.ts";

/** A token for each character, so that a test can count. */
const engine = {
  contextLength: 200,
  tokenize: (text: string | Uint8Array) => [...text].map(() => 1),
};

function answered(text: string, more: Partial<WrittenAnswer["result"]> = {}): WrittenAnswer {
  const result = { promptTokens: 1, completionTokens: text.length, finishReason: "stop" } as const;
  return { text, between: [], result: { ...result, ...more } };
}

function chat(system?: string, maxTokens?: number) {
  const asked: (readonly ChatMessage[])[] = [];
  const remarks: string[] = [];
  const said: string[] = [];
  const turns = new ChatTurns({
    engine,
    system,
    maxTokens,
    remark: (sentence) => remarks.push(sentence),
    say: (sentence) => said.push(sentence),
  });
  const write: WriteAnswer = async (messages) => {
    asked.push(messages);
    return answered("b".repeat(20));
  };
  return { turns, write, asked, remarks, said };
}

const contents = (messages: readonly ChatMessage[] = []) => messages.map(({ content }) => content);

describe("a conversation", () => {
  it("is remembered while it fits", async () => {
    const { turns, write, asked, remarks } = chat("be kind");
    await turns.take("one", write);
    await turns.take("two", write);
    expect(contents(asked[1])).toEqual(["be kind", "one", "b".repeat(20), "two"]);
    expect(remarks).toEqual([]);
    turns.clear();
    await turns.take("three", write);
    expect(contents(asked[2])).toEqual(["be kind", "three"]);
  });

  it("keeps calls and their results between question and answer", async () => {
    const { turns, asked } = chat();
    const between: ChatMessage[] = [
      { role: "assistant", tool_calls: [{ function: { name: "f", arguments: "{}" } }] },
      { role: "tool", content: "4" },
    ];
    const write: WriteAnswer = async (messages) => {
      asked.push(messages);
      return { ...answered("b"), between };
    };
    await turns.take("one", write);
    await turns.take("two", write);
    expect(asked[1]?.map(({ role }) => role)).toEqual([
      "user",
      "assistant",
      "tool",
      "assistant",
      "user",
    ]);
  });

  it("forgets the oldest turns, never the system message, before an answer has no room", async () => {
    const { turns, write, asked, remarks } = chat("be kind");
    // A turn is 20 + 20 tokens and 12 of marks; a quarter of 200 is room for the answer.
    for (const letter of "vwxyz") await turns.take(letter.repeat(20), write);
    const questions = asked.map((messages) => contents(messages)[1]?.[0]);
    expect(questions).toEqual(["v", "v", "v", "w", "x"]);
    expect(asked.map((messages) => messages[0]?.content)).toEqual(Array(5).fill("be kind"));
    expect(remarks).toEqual(Array(2).fill("the context is full: the oldest turn is forgotten"));
    await turns.take("q".repeat(130), write);
    expect(contents(asked[5])).toEqual(["be kind", "q".repeat(130)]);
    expect(remarks[2]).toBe("the context is full: the 3 oldest turns are forgotten");
  });

  it("keeps more where answers are asked to be short", async () => {
    const { turns, write, asked, remarks } = chat(undefined, 5);
    for (const letter of "vwx") await turns.take(letter.repeat(20), write);
    expect(contents(asked[2])).toHaveLength(5);
    expect(remarks).toEqual([]);
  });

  it("forgets one by one where the template takes more than was reckoned with", async () => {
    const { turns, write, remarks, said } = chat();
    await turns.take("one", write);
    await turns.take("two", write);
    const lengths: number[] = [];
    const strict: WriteAnswer = async (messages) => {
      lengths.push(messages.length);
      if (messages.length > 1) throw new LimitError("too long");
      return answered("yes");
    };
    await turns.take("three", strict);
    expect(lengths).toEqual([5, 3, 1]);
    expect(remarks).toHaveLength(2);
    expect(said).toEqual([]);
  });

  it("goes on without a question that cannot be answered, and says why", async () => {
    const { turns, write, asked, said } = chat();
    await turns.take("one", write);
    await turns.take("lost", async () => {
      throw new DeviceError("the device was lost");
    });
    expect(said).toEqual(["the device was lost"]);
    await turns.take("two", write);
    expect(contents(asked[1])).toEqual(["one", "b".repeat(20), "two"]);
    const fault = new TypeError("a mistake of ours");
    await expect(turns.take("x", () => Promise.reject(fault))).rejects.toBe(fault);
  });

  it("says when the context, not the user, ended the answer", async () => {
    const full = { finishReason: "length", promptTokens: 150, completionTokens: 50 } as const;
    const { turns, remarks } = chat();
    await turns.take("one", async () => answered("long", full));
    expect(remarks).toEqual([expect.stringMatching(/context is full: the answer ends here/)]);
    const limited = chat(undefined, 50);
    await limited.turns.take("one", async () => answered("long", full));
    expect(limited.remarks).toEqual([]);
  });
});
