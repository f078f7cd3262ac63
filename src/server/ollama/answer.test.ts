/** Thoughts and calls as Ollama's clients read them: what the bundled model does not say. */
import { describe, expect, it } from "vitest";
import { saying, thoughtfulReply } from "../../../test/fixtures/said.ts";
import { type Asked, answerLines, messagePlace, responsePlace, wholeAnswer } from "./answer.ts";

const asked: Asked = { startedAt: performance.now(), loadMilliseconds: 5, place: messagePlace };
const calls = [
  { function: { name: "king", arguments: { year: 1100 } } },
  { function: { name: "queen", arguments: {} } },
];

describe("an answer", () => {
  it("has thoughts beside its content, and calls with arguments that are objects", async () => {
    expect(await wholeAnswer(saying(thoughtfulReply), asked)).toMatchObject({
      message: {
        role: "assistant",
        content: "I look.",
        thinking: "Which king?",
        tool_calls: calls,
      },
      done: true,
      done_reason: "stop",
      prompt_eval_count: 7,
      load_duration: 5_000_000,
      eval_duration: 4_000_000,
    });
    const plain = await wholeAnswer(saying(thoughtfulReply), { ...asked, place: responsePlace });
    expect(plain).toMatchObject({ response: "I look.", thinking: "Which king?" });
  });

  it("gives out a call in one piece", async () => {
    const messages: unknown[] = [];
    for await (const line of answerLines(saying(thoughtfulReply), asked)) {
      messages.push(JSON.parse(line).message);
    }
    const role = "assistant";
    expect(messages).toEqual([
      { role, content: "", thinking: "Which " },
      { role, content: "", thinking: "king?" },
      { role, content: "I look." },
      { role, content: "", tool_calls: [calls[0]] },
      { role, content: "", tool_calls: [calls[1]] },
      { role, content: "" },
    ]);
  });
});
