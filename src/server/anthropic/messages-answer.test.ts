/** Thoughts, text and calls as blocks: what the bundled model does not say. */
import { describe, expect, it } from "vitest";
import { saying, thoughtfulReply } from "../../../test/fixtures/said.ts";
import { messageEvents, wholeMessage } from "./messages-answer.ts";
import type { MessagesBody } from "./messages-body.ts";

const body: MessagesBody = {
  model: "said",
  max_tokens: 9,
  messages: [{ role: "user", content: "Which king?" }],
};

describe("a message", () => {
  it("has thoughts, text and calls as blocks", async () => {
    expect(await wholeMessage(saying(thoughtfulReply), body)).toMatchObject({
      content: [
        { type: "thinking", thinking: "Which king?", signature: "" },
        { type: "text", text: "I look." },
        { type: "tool_use", id: "c0", name: "king", input: { year: 1100 } },
        { type: "tool_use", id: "c1", name: "queen", input: {} },
      ],
      stop_reason: "tool_use",
      usage: { input_tokens: 4, cache_read_input_tokens: 3, output_tokens: 10 },
    });
  });

  it("opens and closes one block after the other in a stream", async () => {
    const events: string[] = [];
    for await (const event of messageEvents(saying(thoughtfulReply), body)) {
      const { type, index, content_block, delta } = JSON.parse(
        /^data: (.*)$/m.exec(event)?.[1] ?? "",
      );
      events.push(
        [type, index, content_block?.type ?? delta?.type].filter((x) => x !== undefined).join(" "),
      );
    }
    expect(events).toEqual([
      "message_start",
      "content_block_start 0 thinking",
      "ping",
      "content_block_delta 0 thinking_delta",
      "content_block_delta 0 thinking_delta",
      "content_block_stop 0",
      "content_block_start 1 text",
      "content_block_delta 1 text_delta",
      "content_block_stop 1",
      "content_block_start 2 tool_use",
      "content_block_delta 2 input_json_delta",
      "content_block_delta 2 input_json_delta",
      "content_block_stop 2",
      "content_block_start 3 tool_use",
      "content_block_delta 3 input_json_delta",
      "content_block_stop 3",
      "message_delta",
      "message_stop",
    ]);
  });

  it("has an empty block where nothing was said", async () => {
    expect(await wholeMessage(saying([]), body)).toMatchObject({
      content: [{ text: "" }],
      stop_reason: "end_turn",
    });
    const events: string[] = [];
    for await (const event of messageEvents(saying([]), body))
      events.push(/^event: (.*)$/m.exec(event)?.[1] ?? "");
    expect(events).toEqual([
      "message_start",
      "content_block_start",
      "ping",
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
  });

  it("with thoughts is refused where the template does not know of them", async () => {
    const wished = { ...body, thinking: { type: "enabled" } } as const;
    await expect(wholeMessage(saying([]), wished)).rejects.toThrow(/^thinking: the template/);
    const knows = saying([], (variables) => JSON.stringify(variables));
    await expect(wholeMessage(knows, wished)).resolves.toMatchObject({ type: "message" });
  });
});
