import { describe, expect, it } from "vitest";
import { metadataOf } from "../../test/fixtures/vocabulary-metadata.ts";
import { HearthError, LimitError } from "../core/errors.ts";
import type { ChatMessage } from "./chat-message.ts";
import { type ChatTemplate, createChatTemplate } from "./chat-template.ts";
import { createTokenizer } from "./tokenizer.ts";

const letters = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index));
const specials = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"];
const bytes = Array.from({ length: 256 }, (_, byte) => {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
});
const tokens = [...specials, ...bytes, "\u2581", ...letters.slice(1)];
const metadata = {
  "tokenizer.ggml.model": "llama",
  "tokenizer.ggml.tokens": tokens,
  "tokenizer.ggml.token_type": tokens.map((_, id) => {
    if (id === 0) return 2;
    if (id < specials.length) return 3;
    return id < specials.length + bytes.length ? 6 : 1;
  }),
};

function chatOf(template: string | undefined): ChatTemplate {
  const all = metadataOf({ ...metadata, "tokenizer.chat_template": template });
  return createChatTemplate(all, createTokenizer(all));
}

function encodeAtOnce(chat: ChatTemplate): readonly number[] {
  const ids = chat.encode(chat.render(talk));
  if (ids instanceof Promise) throw new Error("a short text is encoded at once");
  return ids;
}

const talk: readonly ChatMessage[] = [
  { role: "user", content: "Hi" },
  { role: "assistant", content: " Hello " },
  { role: "user", content: "Bye" },
];
const withSystem: readonly ChatMessage[] = [{ role: "system", content: "Be kind." }, ...talk];

const chatml =
  "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
const llama3 =
  "{% set loop_messages = messages %}{% for message in loop_messages %}" +
  "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}" +
  "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}";
const mistral =
  "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}" +
  "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}" +
  "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}" +
  "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}" +
  "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}";
const phi3 =
  "{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\n' + message['content'] + '<|end|>\n'}}" +
  "{% elif message['role'] == 'user' %}{{'<|user|>\n' + message['content'] + '<|end|>\n'}}" +
  "{% elif message['role'] == 'assistant' %}{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}";
const gemma =
  "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" +
  "{% for message in messages %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}" +
  "{% set role = message['role'] %}{% endif %}" +
  "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}";

describe("chat templates of well-known models", () => {
  it("ChatML wraps each turn in im_start and im_end", () => {
    expect(chatOf(chatml).render(withSystem)).toBe(
      "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n" +
        "<|im_start|>assistant\n Hello <|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n",
    );
  });

  it("Llama 3 begins with BOS and trims contents", () => {
    expect(chatOf(llama3).render(talk)).toBe(
      "<s><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>" +
        "<|start_header_id|>assistant<|end_header_id|>\n\nHello<|eot_id|>" +
        "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    );
  });

  it("Mistral puts the user in INST and ends answers with EOS", () => {
    expect(chatOf(mistral).render(talk)).toBe("<s>[INST] Hi [/INST] Hello </s>[INST] Bye [/INST]");
  });

  it("Phi-3 ends with the assistant's mark, or EOS when no answer is asked for", () => {
    const turns = "<|user|>\nHi<|end|>\n<|assistant|>\n Hello <|end|>\n<|user|>\nBye<|end|>\n";
    expect(chatOf(phi3).render(talk)).toBe(`${turns}<|assistant|>\n`);
    expect(chatOf(phi3).render(talk, { addGenerationPrompt: false })).toBe(`${turns}</s>`);
  });

  it("Gemma calls the assistant model", () => {
    expect(chatOf(gemma).render(talk)).toBe(
      "<s><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nHello<end_of_turn>\n" +
        "<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\n",
    );
  });

  it("the date is there for templates that ask for it", () => {
    const text = chatOf("{{ strftime_now('%d %b %Y') }}").render(talk);
    expect(text).toMatch(/^\d{2} [A-Z][a-z]{2} \d{4}$/);
  });

  it("tools and documents are None when there are none", () => {
    expect(chatOf("{{ tools }}{{ documents }}{{ tools is defined }}").render(talk)).toBe(
      "NoneNoneTrue",
    );
  });

  it("a special token that the model lacks is undefined", () => {
    const all = metadataOf({
      ...metadata,
      "tokenizer.ggml.unknown_token_id": 0,
      "tokenizer.chat_template": "{{ unk_token }}{{ pad_token is defined }}",
    });
    expect(createChatTemplate(all, createTokenizer(all)).render(talk)).toBe("<unk>False");
  });

  it("variables of tool use are undefined, not errors", () => {
    expect(
      chatOf("{% if tools %}T{% endif %}{% if custom is defined %}C{% endif %}.").render(talk),
    ).toBe(".");
  });
});

describe("encoding a conversation", () => {
  it("BOS comes once, whether the template writes it or not", () => {
    const written = encodeAtOnce(chatOf(mistral));
    const added = encodeAtOnce(chatOf(chatml));
    expect(written.slice(0, 2).filter((id) => id === 1)).toHaveLength(1);
    expect(added.slice(0, 2)).toEqual([1, 3]);
    expect(added.filter((id) => id === 4)).toHaveLength(3);
  });

  it("of a long text makes the same ids, with pauses for other work", async () => {
    const messages = [{ role: "user", content: "long words ".repeat(80_000) }];
    const chat = chatOf(chatml);
    const turns: number[] = [];
    const timer = setInterval(() => turns.push(performance.now()), 1);
    const ids = chat.encode(chat.render(messages));
    expect(ids).toBeInstanceOf(Promise);
    const longer = await ids;
    clearInterval(timer);
    expect(turns.length).toBeGreaterThan(0);
    const all = metadataOf(metadata);
    const whole = createTokenizer(all).encode(chat.render(messages), { parseSpecial: true });
    expect(longer).toEqual(whole);
  });
});

describe("a model without a usable template", () => {
  it("gets a plain form, which is announced", () => {
    const chat = chatOf(undefined);
    expect(chat.announcement).toContain("no chat template");
    expect(chat.source).toBeUndefined();
    expect(chatOf("{{ messages[0].content }}").source).toBe("{{ messages[0].content }}");
    expect(chat.render(withSystem)).toBe(
      "Be kind.\nUser: Hi\nAssistant: Hello\nUser: Bye\nAssistant:",
    );
    expect(chat.stopTexts).toEqual(["\nUser:"]);
  });

  it("a template that is no Jinja is announced with the reason", () => {
    const chat = chatOf("{% for message in messages %}{{ message");
    expect(chat.announcement).toContain("cannot be read");
    expect(chat.render(talk)).toContain("User: Hi");
  });

  it("a template of a million characters is not even parsed", () => {
    expect(chatOf("{".repeat(1e6)).announcement).toContain("1000000 characters");
  });
});

describe("a template that misbehaves", () => {
  it("says in its own words why it refuses the messages", () => {
    expect(() => chatOf(mistral).render(withSystem)).toThrow(HearthError);
    expect(() => chatOf(mistral).render(withSystem)).toThrow("Conversation roles must alternate");
    expect(() => chatOf(gemma).render(withSystem)).toThrow("System role not supported");
  });

  it("is stopped when it counts too far", () => {
    expect(() => chatOf("{% for i in range(1000000000) %}{% endfor %}").render(talk)).toThrow(
      "range()",
    );
  });

  it("is stopped when it runs too long", () => {
    const nested = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
    expect(() => chatOf(nested).render(talk)).toThrow(/needs more than \d+ steps/);
  });

  it("is stopped when its text grows without end", () => {
    const doubling =
      "{% set ns = namespace(s='x') %}{% for i in range(40) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}";
    expect(() => chatOf(doubling).render(talk)).toThrow(LimitError);
  });

  it("that nests too deep is announced as one that cannot be read", () => {
    const chat = chatOf(`{{ ${"(".repeat(50_000)}1${")".repeat(50_000)} }}`);
    expect(chat.announcement).toContain("nests deeper than 200 levels");
  });

  it("hands its own words on as they are, in a field", () => {
    const raise = "{{ raise_exception('no\\n\\x1b[2J') }}";
    expect(() => chatOf(raise).render(talk)).toThrow(
      expect.objectContaining({ kind: "raised", detail: "no\n\x1b[2J" }),
    );
  });
});

describe("an answer that is begun", () => {
  const begun: readonly ChatMessage[] = [
    { role: "user", content: "Hi" },
    { role: "assistant", content: "The answer is " },
  ];
  const goOn = { continueLast: true };

  it.each([
    ["chatml", chatml, "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nThe answer is "],
    [
      "llama3",
      llama3,
      "Hi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nThe answer is ",
    ],
    ["mistral", mistral, "<s>[INST] Hi [/INST]The answer is "],
    ["phi3", phi3, "<|user|>\nHi<|end|>\n<|assistant|>\nThe answer is "],
    ["none", undefined, "User: Hi\nAssistant: The answer is "],
  ])("ends where its text does: %s", (_, template, end) => {
    expect(chatOf(template).render(begun, goOn).endsWith(end)).toBe(true);
  });

  it("is refused where nothing can be gone on with", () => {
    const chat = chatOf(chatml);
    expect(() => chat.render(talk, goOn)).toThrow('continueLast: a last message of role "user"');
    const call = { type: "function", function: { name: "f", arguments: "{}" } } as const;
    const calling = [...talk, { role: "assistant", content: "", tool_calls: [call] }];
    expect(() => chat.render(calling, goOn)).toThrow("a last message that calls tools");
    const silent = chatOf("{% for m in messages %}{{ m.role }}{% endfor %}");
    expect(() => silent.render(begun, goOn)).toThrow("leaves out");
  });
});
