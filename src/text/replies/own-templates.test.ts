/**
 * Models' own chat templates say how they write calls: a template renders an answer with calls, and the parser reads it
 * back. HEARTH_TEMPLATES names a folder of them (*.jinja); they belong to their models and are not kept here.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { metadataOf } from "../../../test/fixtures/vocabulary-metadata.ts";
import type { ChatMessage } from "../chat-message.ts";
import { type ChatTemplate, createChatTemplate } from "../chat-template.ts";
import { createTokenizer } from "../tokenizer.ts";
import { parseReply } from "./reply-form.ts";
import type { Tool } from "./tool.ts";

const folder = process.env["HEARTH_TEMPLATES"];
const names =
  folder === undefined ? [] : readdirSync(folder).filter((name) => name.endsWith(".jinja"));

const tokens = ["<unk>", "<s>", "</s>", "a"];

function chatOf(template: string): ChatTemplate {
  const all = metadataOf({
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": tokens,
    "tokenizer.ggml.token_type": [2, 3, 3, 1],
    "tokenizer.chat_template": template,
  });
  return createChatTemplate(all, createTokenizer(all));
}

const tools: readonly Tool[] = ["get_weather", "find_place"].map((name) => ({
  name,
  description: "A tool",
  parameters: {
    type: "object",
    properties: {
      city: { type: "string", description: "A city" },
      days: { type: "integer", description: "Days" },
    },
    required: ["city"],
  },
}));

const question: ChatMessage = { role: "user", content: "What is it like?" };
const args = { city: 'Rome "R" <b>', days: 3 };

function callOf(name: string, id: string): NonNullable<ChatMessage["tool_calls"]>[number] {
  return { id, type: "function", function: { name, arguments: JSON.stringify(args) } };
}

describe.skipIf(folder === undefined)(
  "calls that a model's own template writes (HEARTH_TEMPLATES)",
  () => {
    it.each(names)("are read back: %s", (name) => {
      const chat = chatOf(readFileSync(join(folder ?? "", name), "utf8"));
      const prompt = chat.render([question], { tools });
      const calls = [callOf("get_weather", "abcdef123"), callOf("find_place", "abcdef456")];
      const answer: ChatMessage = { role: "assistant", content: "", tool_calls: calls };
      const results = calls.map(({ id = "" }): ChatMessage => {
        return { role: "tool", tool_call_id: id, content: "sunny" };
      });
      const whole = chat.render([question, answer, ...results], {
        tools,
        addGenerationPrompt: false,
      });
      const begin = commonBeginning(prompt, whole);
      const [written = ""] = whole.slice(begin).split(ends);
      const asked = prompt.slice(0, begin);
      const reply = parseReply(written, chat.form, { tools, prompt: asked, idOf: String });
      expect(reply.toolCalls.map((call) => [call.name, JSON.parse(call.arguments)])).toEqual(
        calls
          .map((call) => [call.function.name, args])
          // Behind its result, where the template shows one call of a message.
          .filter(([name = ""]) => written.includes(String(name))),
      );
    });
  },
);

const ends =
  /<\|im_end\|>|<\|eot_id\|>|<\|eom_id\|>|<\/s>|<\|end_of_text\|>|<｜end▁of▁sentence｜>|<\|end\|>|<turn\|>|<\|observation\|>|<SPECIAL_12>|\[e~\[|sunny/;

/** Up to which both are the same; never within a mark. */
function commonBeginning(prompt: string, whole: string): number {
  let length = 0;
  while (length < prompt.length && whole[length] === prompt[length]) length++;
  const mark = whole.lastIndexOf("<", length);
  return length < prompt.length && !whole.slice(mark, length).includes(">") ? mark : length;
}
