/** Calls that must come, or may, in the form of each family: what the form takes, the family's reader reads. */
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { replyCases, replyTools } from "../../test/fixtures/replies.ts";
import { createRandom } from "../core/random.ts";
import { formOf, randomText } from "../forms/fixture.ts";
import { findReplyForm, parseReply } from "../text/replies/reply-form.ts";
import type { Tool } from "../text/replies/tool.ts";
import { planAnswer } from "./promised-call.ts";

const parameters = {
  type: "object",
  properties: {
    city: { type: "string", maxLength: 12 },
    kind: { enum: ["a", "b c", "</x>"] },
    note: { type: ["string", "null"], pattern: "^[a-z]*$", maxLength: 5 },
    days: { type: "integer", minimum: 0, maximum: 20 },
    "exact-place": { type: ["number", "boolean"], maximum: 9, minimum: 0 },
    more: {
      type: "object",
      properties: { tags: { type: "array", items: { const: "t" }, maxItems: 2 } },
      additionalProperties: false,
    },
  },
  required: ["city", "days"],
  additionalProperties: false,
};
const tools: readonly Tool[] = [
  { name: "get_weather", parameters },
  { name: "python", parameters, strict: true },
];
const isValid = new Ajv2020({ strict: false }).compile(parameters);

const byTemplate = new Map(replyCases.map((reply) => [reply.template, reply]));

describe.each([...byTemplate.values()])("$family", ({ template, promptEnd = "" }) => {
  const form = findReplyForm(template, () => true);
  const prompt = `What is it like?${promptEnd}`;
  const setting = { tools, form, prompt, asked: undefined };

  it("has bound calls beside text", () => {
    expect(planAnswer("auto", setting).source?.kind).toBe("outline");
  });

  it("that must call writes one call, which its reader reads, with arguments of the schema", () => {
    // Random thoughts would not end by themselves.
    const ending = /think/i.test(promptEnd) ? "" : promptEnd;
    const asked = { ...setting, prompt: `What is it like?${ending}` };
    const { begun, source } = planAnswer("required", asked);
    if (source === undefined) throw new Error("a call that must come has a form");
    const made = formOf(source);
    let calls = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const text = randomText(made, createRandom(seed), 600);
      if (text === undefined) continue;
      const reply = parseReply(begun + text, form, { ...asked, idOf: () => "id" });
      const [call, ...others] = reply.toolCalls;
      expect([others, reply.notices, reply.content]).toEqual([[], [], ""]);
      expect(["get_weather", "python"]).toContain(call?.name);
      const given: unknown = JSON.parse(call?.arguments ?? "");
      expect({ text, given, isValid: isValid(given) }).toEqual({ text, given, isValid: true });
      calls++;
    }
    expect(calls).toBeGreaterThan(5);
  });
});

/** Of the fixtures' answers, those that break a tool's schema or JSON itself, or that a family writes otherwise today. */
const refused: readonly string[] = [
  "hermes, with a line break inside a string",
  "hermes, with arguments as a string and without the last mark",
  "llama3",
  "mistral with marks between name and arguments",
  "harmony, with the recipient in front and calls from its analysis",
  "phi4",
  // A number with an exponent of another spelling, a tuple in place of a list.
  "gemma4",
  "lfm2",
];

describe("an answer that may call", () => {
  it.each(replyCases)("may be as models write it: $family", (reply) => {
    const { template, promptEnd = "", text, family } = reply;
    const form = findReplyForm(template, () => true);
    const prompt = `What is it like?${promptEnd}`;
    const { source } = planAnswer("auto", { tools: replyTools, form, prompt, asked: undefined });
    const accepts = source === undefined || formOf(source).accepts(text);
    expect(accepts).toBe(!refused.includes(family));
  });

  it("may be JSON where a model writes Python, too", () => {
    const form = findReplyForm("<|tool_list_start|>", () => true);
    const { source } = planAnswer("auto", { tools, form, prompt: "", asked: undefined });
    const python = "get_weather(city='x', days=1)";
    const json = '{"name": "get_weather", "arguments": {"city": "x", "days": 1}}';
    const accepts = (call: string): boolean =>
      source !== undefined &&
      formOf(source).accepts(`<|tool_call_start|>[${call}]<|tool_call_end|>`);
    expect([python, json, json.replace("1}", '"1"}')].map(accepts)).toEqual([true, true, false]);
  });

  it("may stand right behind the mark of a list, or behind a space", () => {
    const form = findReplyForm("[TOOL_CALLS]", () => true);
    const { source } = planAnswer("auto", { tools, form, prompt: "", asked: undefined });
    const call = '[{"name": "python", "arguments": {"city": "x", "days": 1}}]';
    for (const space of ["", " "]) {
      expect(source && formOf(source).accepts(`[TOOL_CALLS]${space}${call}`)).toBe(true);
    }
  });
});
