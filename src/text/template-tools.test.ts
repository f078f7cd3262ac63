/** Tools, calls and results in a conversation, as templates of several kinds read them. */
import { describe, expect, it } from "vitest";
import { metadataOf } from "../../test/fixtures/vocabulary-metadata.ts";
import { OptionError } from "../core/errors.ts";
import type { ChatMessage } from "./chat-message.ts";
import { type ChatTemplate, checkTemplateOptions, createChatTemplate } from "./chat-template.ts";
import type { Tool } from "./replies/tool.ts";
import { createTokenizer } from "./tokenizer.ts";

function chatOf(template: string | undefined): ChatTemplate {
  const all = metadataOf({
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": ["<unk>", "<s>", "</s>", "a"],
    "tokenizer.ggml.token_type": [2, 3, 3, 1],
    "tokenizer.chat_template": template,
  });
  return createChatTemplate(all, createTokenizer(all));
}

const tools: readonly Tool[] = [
  { name: "add", description: "Adds", parameters: { type: "object", properties: { a: {} } } },
];
const talk: readonly ChatMessage[] = [
  { role: "user", content: "1+2?" },
  {
    role: "assistant",
    reasoning_content: "Hm.",
    tool_calls: [
      { id: "c1", function: { name: "add", arguments: '{"a": 1}' } },
      { id: "c2", function: { name: "add", arguments: { a: 2 } } },
    ],
  },
  { role: "tool", tool_call_id: "c1", content: "one" },
  { role: "tool", tool_call_id: "c2", content: [{ type: "text", text: "two" }] },
];

const each = "{% for m in messages %}[{{ m.role }}:";
const listed = "{% for t in tools or [] %}{{ t.function.name }};{% endfor %}";
const calls = "{% for c in m.tool_calls or [] %}<tool_call>{{ c.function.name }}";

describe("a template is given tools and calls as it reads them", () => {
  it("with arguments as objects, reasoning, and names of the results' functions", () => {
    const template = `${listed}${each}{{ m.content }}{{ m.reasoning_content }}${calls}{{ c.function.arguments | tojson }}{% endfor %}{{ m.name }}]{% endfor %}`;
    expect(chatOf(template).render(talk, { tools })).toBe(
      'add;[user:1+2?][assistant:Hm.<tool_call>add{"a": 1}<tool_call>add{"a": 2}][tool:oneadd][tool:twoadd]',
    );
  });

  it("with arguments as text", () => {
    const template = `${listed}${each}{{ m.content }}${calls}{{ '' + c.function.arguments }}{% endfor %}]{% endfor %}`;
    expect(chatOf(template).render(talk, { tools })).toContain('add{"a": 1}<tool_call>add{"a":2}');
  });

  it("with null for no content where calls are shown only beside that", () => {
    const template = `${each}{% if m.content is none %}${calls}{{ c.function.arguments | tojson }}{% endfor %}{% else %}{{ m.content }}{% endif %}]{% endfor %}`;
    expect(chatOf(template).render(talk)).toContain('[assistant:<tool_call>add{"a": 1}');
  });

  it("call by call where it shows the first alone", () => {
    const template = `${each}{{ m.content }}{% if m.tool_calls %}{{ m.tool_calls[0].function.name }}{{ m.tool_calls[0].function.arguments | tojson }}{% endif %}]{% endfor %}`;
    expect(chatOf(template).render(talk)).toBe(
      '[user:1+2?][assistant:add{"a": 1}][tool:one][assistant:add{"a": 2}][tool:two]',
    );
  });

  it("in words where it knows none, with calls as the model was told to write them", () => {
    const text = chatOf(`${each}{{ m.content }}]{% endfor %}`).render(talk, { tools });
    expect(text).toContain("[system:You can call these functions.");
    expect(text).toContain('{"name":"add","description":"Adds"');
    expect(text).toContain(
      '[assistant:{"tool_calls": [{"name": "add", "arguments": {"a": 1}}, {"name": "add", "arguments": {"a":2}}]}]',
    );
    expect(text).toContain("[tool:one][tool:two]");
  });

  it("in words of its own family where it shows no calls", () => {
    const template = `{# <tool_call> #}${listed}${each}{{ m.content }}]{% endfor %}`;
    expect(chatOf(template).render(talk, { tools })).toContain(
      '[assistant:<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>\n<tool_call>',
    );
  });

  it("in the first message where it takes no system message, and results as the user's", () => {
    const template = `${each}{% if m.role in ['system', 'tool'] %}{{ raise_exception('no') }}{% endif %}{{ m.content }}]{% endfor %}`;
    const text = chatOf(template).render(talk, { tools });
    expect(text).toMatch(/^\[user:1\+2\?\n\nYou can call/);
    expect(text).toContain("[user:Result of add:\none]");
  });

  it("in words for a model without a template", () => {
    const text = chatOf(undefined).render(talk, { tools });
    expect(text).toMatch(/^You can call these functions/);
    expect(text).toMatch(/User: Result of add:\ntwo\nAssistant:$/);
  });

  it("and without tools or calls as before: role and content alone", () => {
    const template = "{{ messages | tojson }}{{ tools }}";
    const parts: ChatMessage = {
      role: "user",
      content: [
        { type: "text", text: "a" },
        { type: "text", text: "b" },
      ],
    };
    expect(chatOf(template).render([parts])).toBe('[{"role": "user", "content": "a\\nb"}]None');
  });
});

describe("what is no tool and no message", () => {
  it.each<[string, unknown, string]>([
    ["tools[0] option", [{ nam: "x" }], "name"],
    ["name", [{ name: "a b" }], "letters"],
    ["tools[0].name", [{ description: "x" }], "not empty"],
    ["tools[1].name", [{ name: "a" }, { name: "a" }], "a name of its own"],
    ["parameters", [{ name: "a", parameters: [] }], "JSON schema"],
    ["tools", "a", "a list of tools"],
    ["tools", Array.from({ length: 513 }, (_, i) => ({ name: `f${i}` })), "at most 512"],
  ])("names %s", (option, given, message) => {
    const check = (): void => checkTemplateOptions({ tools: given as readonly Tool[] });
    expect(check).toThrow(expect.objectContaining({ option }));
    expect(check).toThrow(message);
  });

  it.each<[string, unknown]>([
    ["messages[0].content", { role: "user" }],
    ["messages[0].content", { role: "user", content: [{ type: "image_url" }] }],
    ["messages[0].tool_calls", { role: "assistant", tool_calls: [{ name: "x" }] }],
    ["messages[0].tool_calls", { role: "assistant", content: "", tool_calls: {} }],
    ["messages[0].tool_call_id", { role: "tool", content: "", tool_call_id: 1 }],
  ])("names %s", (option, message) => {
    const render = (): string => chatOf(undefined).render([message as ChatMessage]);
    expect(render).toThrow(OptionError);
    expect(render).toThrow(`${option}:`);
  });
});
