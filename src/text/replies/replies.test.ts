import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { joinedEvents } from "../../../test/fixtures/joined-events.ts";
import {
  bigArguments,
  type ReplyCase,
  replyCases,
  replyTools,
} from "../../../test/fixtures/replies.ts";
import { families } from "./families.ts";
import { collectReply, type Reply, type ReplyEvent } from "./reply.ts";
import { createReplyParser, findReplyForm, parseReply, type ReplyOptions } from "./reply-form.ts";

const idOf = (index: number): string => `made-${index}`;

function optionsOf({ promptEnd = "" }: Partial<ReplyCase>): ReplyOptions {
  return { tools: replyTools, prompt: `What is it like?${promptEnd}`, idOf };
}

function eventsOf(reply: Pick<ReplyCase, "template" | "promptEnd">, pieces: readonly string[]) {
  const parser = createReplyParser(
    findReplyForm(reply.template, () => true),
    optionsOf(reply),
  );
  return joinedEvents([...pieces.flatMap((piece) => parser.push(piece)), ...parser.end()]);
}

function read(template: string, text: string, options: Partial<ReplyOptions> = {}): Reply {
  const form = findReplyForm(template, () => true);
  return parseReply(text, form, { ...optionsOf({}), ...options });
}

const hermes = "<tool_call> <think>";

describe("an answer is read as its family writes it", () => {
  it.each(replyCases)("$family", (reply) => {
    const { content = "", reasoning = "", calls = [] } = reply;
    const result = parseReply(
      reply.text,
      findReplyForm(reply.template, () => true),
      optionsOf(reply),
    );
    expect(result.toolCalls.map(({ name, arguments: text }) => [name, JSON.parse(text)])).toEqual(
      calls.map(([name, args]) => [name, args]),
    );
    expect(result.toolCalls.map(({ id }) => id)).toEqual(
      calls.map(([, , id], index) => id ?? idOf(index)),
    );
    expect(result.reasoning).toBe(reasoning);
    expect(result.content).toBe(content);
  });

  it("every family of the table has a case", () => {
    const known = new Set(replyCases.map(({ template }) => nameOf(template)));
    expect(known).toEqual(new Set<string>(families.map(({ name }) => name)).add("harmony"));
  });
});

describe("an answer that goes on from text of the prompt", () => {
  const think = "<think>";
  it("keeps the white space in front, and nothing at its beginning is a call", () => {
    const prompt = "assistant: The answer is";
    const continued = "The answer is";
    expect(read(hermes, " 42.", { prompt, continued }).content).toBe(" 42.");
    const call = '{"name": "get_weather", "arguments": {"city": "Oslo"}}';
    expect(read("", call).toolCalls).toHaveLength(1);
    expect(read("", call, { prompt, continued })).toMatchObject({ content: call, toolCalls: [] });
  });

  it.each([
    [think, "Hm.", ""],
    [`${think}\nLet me`, " see.", "see."],
  ])("goes on with thoughts that are begun: %j", (continued, text, rest) => {
    const options = { prompt: `assistant: ${continued}`, continued };
    const reply = read(hermes, `${text}</think>Yes.`, options);
    expect(reply).toMatchObject({ content: "Yes.", reasoning: rest || "Hm." });
  });

  it("knows its channel of a Harmony message that is begun", () => {
    const prompt = "<|start|>assistant<|channel|>final<|message|>The answer is";
    const reply = read("<|channel|>", " 42.", { prompt, continued: "The answer is" });
    expect(reply).toMatchObject({ content: " 42.", reasoning: "" });
  });
});

function nameOf(template: string): string | undefined {
  const form = findReplyForm(template, () => true);
  return form.kind === "harmony" ? "harmony" : form.family;
}

describe("streaming equals reading the whole", () => {
  it.each(replyCases)("at every cut: $family", (reply) => {
    const whole = eventsOf(reply, [reply.text]);
    expect(eventsOf(reply, reply.text.split(""))).toEqual(whole);
    for (let at = 1; at < reply.text.length; at++) {
      expect(eventsOf(reply, [reply.text.slice(0, at), reply.text.slice(at)])).toEqual(whole);
    }
  });

  it("for any text of marks and pieces, cut anywhere", () => {
    const marks = replyCases.flatMap(
      ({ text }) => text.match(/<[^<>]*>|\[[A-Z_]+\]|[{}[\]"]|\w+|\s+|./gs) ?? [],
    );
    const pieces = fc.array(fc.constantFrom(...new Set(marks)), { maxLength: 30 });
    const cuts = fc.array(fc.nat({ max: 400 }), { maxLength: 8 });
    fc.assert(
      fc.property(fc.constantFrom(...replyCases), pieces, cuts, (reply, parts, places) => {
        const text = parts.join("");
        const sorted = [0, ...places, text.length].sort((a, b) => a - b);
        const cut = sorted.slice(1).map((end, index) => text.slice(sorted[index], end));
        expect(eventsOf(reply, cut)).toEqual(eventsOf(reply, [text]));
      }),
      { seed: 19, numRuns: 3000 },
    );
  });

  it("of two cases behind each other, cut anywhere", () => {
    const cases = fc.constantFrom(...replyCases);
    fc.assert(
      fc.property(cases, cases, fc.nat(), fc.nat(), (first, second, from, to) => {
        const text = first.text.slice(0, from % (first.text.length + 1)) + second.text;
        const at = to % (text.length + 1);
        expect(eventsOf(first, [text.slice(0, at), text.slice(at)])).toEqual(
          eventsOf(first, [text]),
        );
      }),
      { seed: 19, numRuns: 1500 },
    );
  });
});

describe("what is no call", () => {
  const broken = [
    ["hermes", hermes, 'Hi <tool_call>{"name": get_weather}</tool_call>'],
    ["hermes without a name", hermes, '<tool_call>{"arguments": {}}</tool_call>'],
    [
      "hermes with a list of arguments",
      hermes,
      '<tool_call>{"name": "x", "arguments": [1]}</tool_call>',
    ],
    ["hermes in prose", hermes, "Write <tool_call> to call, and </tool_call> to end it."],
    ["hermes cut short", hermes, 'Hi <tool_call>\n{"name": "get_weather", "argum'],
    ["mistral", "[TOOL_CALLS]", "[TOOL_CALLS] is a mark."],
    ["mistral cut short", "[TOOL_CALLS]", "[TOOL_CALLS]get_weather[ARGS]{"],
    [
      "qwen3-coder",
      "<function=x><parameter=",
      "<tool_call>\n<function=f>\n<parameter=a>\n1\n</function>\n</tool_call>",
    ],
    ["glm", "<arg_key><tool_call>", "<tool_call>get_weather\n<arg_key>a</arg_key>\n</tool_call>"],
    ["gemma4", "<|tool_call>", "<|tool_call>call:get_weather{city:Rome}<tool_call|>"],
    ["lfm2", "<|tool_list_start|>", "<|tool_call_start|>[get_weather(Rome)]<|tool_call_end|>"],
  ] as const;
  it.each(broken)("is given back as it was written, with a notice: %s", (_, template, text) => {
    const reply = read(template, text);
    expect(reply.toolCalls).toEqual([]);
    expect(reply.content).toBe(text);
    expect(reply.notices).toHaveLength(1);
    expect(reply.notices[0]).toContain("without a call that can be read");
  });

  it("of Harmony is given back with its header and a notice", () => {
    const text = "<|channel|>commentary to=functions.get_weather<|message|>{city}<|call|>";
    const reply = read("<|channel|>", text);
    expect(reply.content).toBe(text.replace("<|call|>", ""));
    expect(reply.notices[0]).toContain("a call of get_weather that cannot be read");
  });

  it("of an answer in JSON is content without a notice", () => {
    const text = '{"name": "Ada", "arguments": {}}';
    expect(read("<|python_tag|>", text)).toEqual({
      content: text,
      reasoning: "",
      toolCalls: [],
      notices: [],
    });
  });

  it("without tools is text, and thoughts are read all the same", () => {
    const call = '<tool_call>{"name": "x", "arguments": {}}</tool_call>';
    const reply = read(hermes, `<think>a</think>${call}`, { tools: [] });
    expect(reply).toEqual({ content: call, reasoning: "a", toolCalls: [], notices: [] });
  });

  it("among thoughts stays there, and a notice says so", () => {
    const call = '<tool_call>{"name": "python", "arguments": {}}</tool_call>';
    const reply = read(hermes, `<think>${call} or not?</think>Hi`);
    expect(reply.reasoning).toBe(`${call} or not?`);
    expect(reply.notices).toEqual([
      "the model wrote a call of python among its thoughts and went on: it is not taken",
    ]);
  });
});

describe("details", () => {
  it("a model that says nothing of thoughts or tools is read as it is", () => {
    const text = ' <think>{"name": 1} \n';
    const form = findReplyForm("{{ messages }}", () => false);
    expect(parseReply(text, form, { prompt: "", idOf }).content).toBe(text);
  });

  it("a model without tools of its own calls in the generic form", () => {
    const text =
      '```json\n{"tool_calls": [{"name": "get_weather", "arguments": {"city": "Rome"}}]}\n```';
    const reply = parseReply(
      text,
      findReplyForm("", () => false),
      optionsOf({}),
    );
    expect(reply.toolCalls).toEqual([
      { id: "made-0", name: "get_weather", arguments: '{"city": "Rome"}' },
    ]);
  });

  it("numbers keep all their digits", () => {
    const text = `<tool_call>{"name": "python", "arguments": ${bigArguments}}</tool_call>`;
    expect(read(hermes, text).toolCalls[0]?.arguments).toBe(bigArguments);
  });

  it("content comes as soon as no mark can begin in it", () => {
    const parser = createReplyParser(
      findReplyForm(hermes, () => true),
      optionsOf({}),
    );
    expect(parser.push("Hello")).toEqual([{ kind: "content", text: "Hello" }]);
    expect(parser.push(" world <to")).toEqual([{ kind: "content", text: " world" }]);
    expect(parser.push("p>")).toEqual([{ kind: "content", text: " <top>" }]);
  });

  it("a call comes with its last mark, and before what follows", () => {
    const parser = createReplyParser(
      findReplyForm("[TOOL_CALLS]", () => true),
      optionsOf({}),
    );
    expect(parser.push('[TOOL_CALLS]python[ARGS]{"code": ""')).toEqual([]);
    expect(parser.push("}")).toEqual([
      { kind: "call", index: 0, id: "made-0", name: "python" },
      { kind: "arguments", index: 0, text: '{"code": ""}' },
      { kind: "call-end", index: 0 },
    ]);
  });

  it("no mark of a form begins another", () => {
    for (const { calls, silent = [] } of families) {
      const marked = calls(replyTools).filter(({ isBare }) => isBare !== true);
      const marks = [...marked.map(({ mark }) => mark), ...silent];
      for (const mark of marks) {
        expect(marks.filter((other) => other.startsWith(mark))).toEqual([mark]);
      }
    }
  });

  it("a long call is read in time that grows with its length", () => {
    const text = `<tool_call>{"name": "python", "arguments": {"code": "${"x".repeat(200_000)}"}}</tool_call>`;
    const parser = createReplyParser(
      findReplyForm(hermes, () => true),
      optionsOf({}),
    );
    const events: ReplyEvent[] = [];
    for (let at = 0; at < text.length; at += 4) events.push(...parser.push(text.slice(at, at + 4)));
    events.push(...parser.end());
    expect(collectReply(events).toolCalls[0]?.arguments).toHaveLength(200_012);
  });
});
