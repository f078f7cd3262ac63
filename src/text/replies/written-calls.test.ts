/** Calls of random names and arguments, as families write them: read as they were meant, and alike however they are cut. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { joinedEvents } from "../../../test/fixtures/joined-events.ts";
import { collectReply, type ReplyEvent } from "./reply.ts";
import { createReplyParser, findReplyForm } from "./reply-form.ts";

interface Call {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
}

interface Writer {
  readonly family: string;
  /** Words of the template by which the family is known. */
  readonly template: string;
  readonly promptEnd?: string;
  /** Around thoughts, and behind a text in front of calls. */
  readonly thoughts?: readonly [open: string, close: string];
  readonly content?: readonly [open: string, close: string];
  /** Arguments are texts between tags, or JSON. */
  readonly isTagged?: boolean;
  write(calls: readonly Call[]): string;
}

const json = ({ name, args }: Call): string => JSON.stringify({ name, arguments: args });
const each =
  (write: (call: Call, index: number) => string) =>
  (calls: readonly Call[]): string =>
    calls.map(write).join("");
const entries = (args: Call["args"]): readonly (readonly [string, string])[] =>
  Object.entries(args).map(([name, value]) => [name, String(value)]);

const writers: readonly Writer[] = [
  {
    family: "hermes",
    template: "<tool_call> <think>",
    thoughts: ["<think>", "</think>"],
    write: each((call) => `<tool_call>\n${json(call)}\n</tool_call>\n`),
  },
  {
    family: "llama3",
    template: "<|python_tag|>",
    write: (calls) =>
      calls.map(({ name, args }) => JSON.stringify({ name, parameters: args })).join("; "),
  },
  {
    family: "mistral with a list",
    template: "[AVAILABLE_TOOLS] [TOOL_CALLS]",
    write: (calls) => `[TOOL_CALLS][${calls.map(json).join(", ")}]`,
  },
  {
    family: "mistral",
    template: "[TOOL_CALLS] [CALL_ID] [ARGS] [THINK]",
    thoughts: ["[THINK]", "[/THINK]"],
    write: each(({ name, args }) => `[TOOL_CALLS]${name}[ARGS]${JSON.stringify(args)}`),
  },
  {
    family: "functionary 3.1",
    template: "<{start_tag}={function_name}> start_tag => `<function` <|python_tag|>",
    write: each(({ name, args }) => `<function=${name}>${JSON.stringify(args)}</function>`),
  },
  {
    family: "functionary 3.2",
    template: "{{ '>>>all\\n' + message['content'] }}",
    promptEnd: "<|end_header_id|>\n\n>>>",
    content: ["all\n", "\n>>>"],
    write: (calls) => calls.map(({ name, args }) => `${name}\n${JSON.stringify(args)}`).join(">>>"),
  },
  {
    family: "harmony",
    template: "<|channel|>",
    promptEnd: "<|start|>assistant",
    thoughts: ["<|channel|>analysis<|message|>", "<|end|><|start|>assistant"],
    content: ["<|channel|>commentary<|message|>", "<|end|><|start|>assistant"],
    write: (calls) =>
      calls
        .map(
          ({ name, args }) =>
            `<|channel|>commentary to=functions.${name} <|constrain|>json<|message|>${JSON.stringify(args)}<|call|>`,
        )
        .join("<|start|>assistant"),
  },
  {
    family: "deepseek 3.1",
    template: "<think> <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>",
    thoughts: ["<think>", "</think>"],
    write: (calls) =>
      `<｜tool▁calls▁begin｜>${calls
        .map(
          ({ name, args }) =>
            `<｜tool▁call▁begin｜>${name}<｜tool▁sep｜>${JSON.stringify(args)}<｜tool▁call▁end｜>`,
        )
        .join("")}<｜tool▁calls▁end｜>`,
  },
  {
    family: "kimi",
    template: "<think> <|tool_calls_section_begin|> <|tool_call_begin|>",
    thoughts: ["<think>", "</think>"],
    write: (calls) =>
      `<|tool_calls_section_begin|>${calls
        .map(
          ({ name, args }, index) =>
            `<|tool_call_begin|>functions.${name}:${index}<|tool_call_argument_begin|>${JSON.stringify(args)}<|tool_call_end|>`,
        )
        .join("")}<|tool_calls_section_end|>`,
  },
  {
    family: "granite",
    template: "<think></think> <response></response> <|tool_call|>",
    write: (calls) => `<|tool_call|>[${calls.map(json).join(", ")}]`,
  },
  {
    family: "nemotron",
    template: "<TOOLCALL>[]</TOOLCALL>",
    write: (calls) => `<TOOLCALL>[${calls.map(json).join(", ")}]</TOOLCALL>`,
  },
  {
    family: "glm",
    template: "<think> <tool_call>{function-name}\n<arg_key>{arg-key-1}</arg_key>",
    thoughts: ["<think>", "</think>"],
    isTagged: true,
    write: each(
      ({ name, args }) =>
        `<tool_call>${name}\n${entries(args)
          .map(([key, text]) => `<arg_key>${key}</arg_key>\n<arg_value>${text}</arg_value>\n`)
          .join("")}</tool_call>`,
    ),
  },
  {
    family: "qwen3-coder",
    template: "<tool_call>\n<function=example_function_name>\n<parameter=example_parameter_1>",
    isTagged: true,
    write: each(
      ({ name, args }) =>
        `<tool_call>\n<function=${name}>\n${entries(args)
          .map(([key, text]) => `<parameter=${key}>\n${text}\n</parameter>\n`)
          .join("")}</function>\n</tool_call>`,
    ),
  },
  {
    family: "minimax",
    template: '<think> <minimax:tool_call><invoke name="tool-name-1">',
    thoughts: ["<think>", "</think>"],
    isTagged: true,
    write: (calls) =>
      `<minimax:tool_call>\n${calls
        .map(
          ({ name, args }) =>
            `<invoke name="${name}">\n${entries(args)
              .map(([key, text]) => `<parameter name="${key}">${text}</parameter>\n`)
              .join("")}</invoke>\n`,
        )
        .join("")}</minimax:tool_call>`,
  },
];

/** Hostile to readers of JSON and of marks. */
const odd = [
  '"',
  "\\",
  '\\"',
  "}",
  "]}",
  "{",
  "</tool_call>",
  "[TOOL_CALLS]",
  "<think>",
  "\n",
  ">>>",
];
const text = fc
  .array(fc.oneof(fc.string({ unit: "grapheme", maxLength: 6 }), fc.constantFrom(...odd)), {
    maxLength: 4,
  })
  .map((parts) => parts.join(""));
const plainText = fc
  .array(fc.constantFrom("a", "Łódź", "🦙", "7", '"', "\\", "{", "}", " of ", "x\ny"), {
    minLength: 1,
    maxLength: 5,
  })
  .map((parts) => `t${parts.join("")}.`);
const name = fc.stringMatching(/^[a-z_][a-z0-9_]{0,11}$/);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: "small" },
    text,
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("any"), { maxLength: 3 }),
    fc.dictionary(text, tie("any"), { maxKeys: 3, noNullPrototype: true }),
  ),
})).any;

const replies = fc.constantFrom(...writers).chain((writer) => {
  const args: fc.Arbitrary<Record<string, unknown>> = fc.dictionary(
    name,
    writer.isTagged === true ? plainText : value,
    { maxKeys: 3, noNullPrototype: true },
  );
  return fc.record({
    writer: fc.constant(writer),
    calls: fc.array(fc.record({ name, args }), { minLength: 1, maxLength: 3 }),
    thoughts:
      writer.thoughts === undefined
        ? fc.constant(undefined)
        : fc.option(plainText, { nil: undefined }),
    content:
      writer.family === "llama3"
        ? fc.constant(undefined)
        : fc.option(plainText, { nil: undefined }),
    cuts: fc.array(fc.nat({ max: 2000 }), { maxLength: 6 }),
  });
});

function textOf({
  writer,
  calls,
  thoughts,
  content,
}: {
  readonly writer: Writer;
  readonly calls: readonly Call[];
  readonly thoughts: string | undefined;
  readonly content: string | undefined;
}): string {
  const [open = "", close = ""] = writer.thoughts ?? [];
  const [begin = "", end = ""] = writer.content ?? [];
  const front = thoughts === undefined ? "" : open + thoughts + close;
  const middle = content === undefined ? "" : begin + content + end;
  return front + middle + writer.write(calls);
}

/** `npm run prove:forms` takes 10,000. */
const runs = Number(process.env["HEARTH_FORMS"] ?? 300);

describe("calls of random names and arguments", () => {
  it("are read as they were meant, alike wherever they are cut", {
    timeout: 20_000 + runs * 50,
  }, () => {
    fc.assert(
      fc.property(replies, (reply) => {
        const { writer, calls, thoughts, content, cuts } = reply;
        const written = textOf(reply);
        const properties = Object.fromEntries(
          calls.flatMap(({ args }) => Object.keys(args).map((key) => [key, { type: "string" }])),
        );
        const tools = [...new Set(calls.map((call) => call.name))].map((each) => ({
          name: each,
          ...(writer.isTagged === true && { parameters: { type: "object", properties } }),
        }));
        const read = (pieces: readonly string[]): readonly ReplyEvent[] => {
          const form = findReplyForm(writer.template, () => true);
          const prompt = `Hi${writer.promptEnd ?? ""}`;
          const parser = createReplyParser(form, { tools, prompt, idOf: (i) => `made-${i}` });
          return joinedEvents([...pieces.flatMap((piece) => parser.push(piece)), ...parser.end()]);
        };
        const whole = read([written]);
        const { toolCalls, ...rest } = collectReply(whole);
        const found = toolCalls.map((call) => ({
          name: call.name,
          args: JSON.parse(call.arguments) as unknown,
        }));
        expect({ family: writer.family, found }).toEqual({ family: writer.family, found: calls });
        expect(rest).toEqual({ content: content ?? "", reasoning: thoughts ?? "", notices: [] });
        expect(read(written.split(""))).toEqual(whole);
        const places = [0, ...cuts.map((at) => at % (written.length + 1)), written.length].sort(
          (one, other) => one - other,
        );
        const pieces = places.slice(1).map((end, i) => written.slice(places[i], end));
        expect(read(pieces)).toEqual(whole);
      }),
      { numRuns: runs, seed: 19 },
    );
  });
});
