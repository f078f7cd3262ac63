/** Answers that keep to a form, by the bundled model: what `value` gives, and that a cut answer is none. */
import { fileURLToPath } from "node:url";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { FormError, OptionError } from "../core/errors.ts";
import { schemaForm } from "../forms/fixture.ts";
import { Engine } from "./engine.ts";

let engine: Engine;
const isOther = process.env["HEARTH_FORMS_MODEL"] !== undefined;

beforeAll(async () => {
  const bundled = fileURLToPath(new URL("../../models/default.gguf", import.meta.url));
  const model = process.env["HEARTH_FORMS_MODEL"] ?? bundled;
  const size = { contextLength: 512, sequences: 8, threads: 2 };
  engine = await Engine.open(model, { ...size, device: "cpu" });
});

afterAll(() => engine.close());

const person = {
  type: "object",
  properties: {
    name: { type: "string", minLength: 1, maxLength: 12 },
    age: { type: "integer", minimum: 0, maximum: 120 },
    kind: { enum: ["good", "bad"] },
    tags: { type: "array", items: { type: "string", maxLength: 8 }, maxItems: 2 },
  },
  required: ["name", "age", "kind"],
  additionalProperties: false,
} as const;

describe("an answer of a promised form", () => {
  it("of a schema has a value, whose type is the schema's", async () => {
    const generation = engine.generate("He was ", { schema: person, seed: 1 });
    expectTypeOf(generation.value).resolves.toEqualTypeOf<{
      name: string;
      age: number;
      kind: "good" | "bad";
      tags?: string[];
    }>();
    const value = await generation.value;
    expect(value.name.length).toBeGreaterThan(0);
    expect(["good", "bad"]).toContain(value.kind);
    expect(JSON.parse((await generation.result).text)).toEqual(value);
    expect((await generation.result).finishReason).toBe("stop");
  });

  it("of a schema of zod is checked and changed by it", async () => {
    const schema = z.object({ yes: z.boolean(), size: z.int().min(3).max(5) }).strict();
    const generation = engine.chat([{ role: "user", content: "hello" }], { schema, seed: 2 });
    expectTypeOf(generation.value).resolves.toEqualTypeOf<{ yes: boolean; size: number }>();
    expect(schema.parse(await generation.value)).toEqual(await generation.value);
    const refused = z.object({ n: z.int().min(0).max(9) }).refine(() => false, "never");
    await expect(engine.generate("a", { schema: refused }).value).rejects.toThrow(/zod refuses it/);
  });

  it("of a regular expression or a grammar is a text", async () => {
    const date = engine.generate("On ", { regex: /^\d{4}-\d\d$/, temperature: 5, seed: 3 });
    expectTypeOf(date.value).resolves.toEqualTypeOf<string>();
    expect(await date.value).toMatch(/^\d{4}-\d\d$/);
    const grammar = 'root ::= word (" " word){2} "."\nword ::= [a-z]{2,5}';
    const words = await engine.generate("The ", { grammar, temperature: 5, seed: 4 }).value;
    expect(words).toMatch(/^[a-z]{2,5} [a-z]{2,5} [a-z]{2,5}\.$/);
  });

  it("that is cut has its text and its reason, and no value", async () => {
    const schema = { type: "string", minLength: 100 } as const;
    const cut = engine.generate("It was ", { schema, maxTokens: 5 });
    await expect(cut.value).rejects.toThrow(/ended \(length\) before its form was complete/);
    expect((await cut.result).finishReason).toBe("length");
    expect((await cut.result).text).toMatch(/^"/);
    const stopped = engine.generate("It was ", { schema, stop: ["e"], seed: 5 });
    await expect(stopped.value).rejects.toThrow(FormError);
  });

  it("keeps to a greedy choice, to biases and to a seed", async () => {
    const options = { schema: person, temperature: 0 } as const;
    const first = await engine.generate("She ", options).text();
    expect(await engine.generate("She ", options).text()).toBe(first);
    const seeded = { schema: person, temperature: 2, seed: 9 } as const;
    const [one, other] = [engine.generate("She ", seeded), engine.generate("She ", seeded)];
    expect(await one.text()).toBe(await other.text());
  });

  // Larger models' steps of many rows round otherwise than those of one: a random choice may differ.
  it.skipIf(isOther)(
    "is the same read in stretches and token by token, in the tokenizer's tokens",
    async () => {
      const keys = ["temperature_of_the_room", "humidity_of_the_room"] as const;
      const reading = z.object({ [keys[0]]: z.int(), [keys[1]]: z.boolean() }).strict();
      for (const schema of [person, reading]) {
        for (const seed of [1, 2, 3]) {
          const options = { schema, temperature: 1, seed, maxTokens: 100 };
          const [stretches, single] = await Promise.all([
            engine.generate("He was ", options).result,
            engine.generate("He was ", { ...options, logprobs: 0 }).result,
          ]);
          expect(stretches.tokens).toEqual(single.tokens);
          expect(stretches.text).toBe(single.text);
          const [key] = keys;
          if (schema !== reading) continue;
          const own = engine.tokenize(`{"${key}":`, { addBos: "never" }).slice(0, -1);
          expect(stretches.tokens.slice(0, own.length)).toEqual(own);
        }
      }
    },
  );

  it("is refused where it cannot be kept", () => {
    expect(() => engine.generate("a", { regex: "a", grammar: 'root ::= "a"' })).toThrow(
      OptionError,
    );
    expect(() => engine.generate("a", { schema: { type: "array", uniqueItems: true } })).toThrow(
      /#\/uniqueItems: cannot be enforced/,
    );
    let deep: Record<string, unknown> = { type: "null" };
    for (let i = 0; i < 10_000; i++) deep = { items: deep };
    expect(() => engine.generate("a", { schema: deep })).toThrow(/more than 400 levels deep/);
    const tools = [{ name: "f", parameters: deep }];
    expect(() =>
      engine.chat([{ role: "user", content: "a" }], { tools, toolChoice: "required" }),
    ).toThrow(/tools\[0\]\.parameters: .*400 levels/);
    const wrong: object = { schema: "person" };
    expect(() => engine.generate("a", wrong)).toThrow(/schema: "person" is not usable/);
  });
});

/** `npm run prove:forms` takes 10,000; HEARTH_FORMS_MODEL names another model than the bundled one. */
const answers = Number(process.env["HEARTH_FORMS"] ?? 300);

describe(`${answers} random answers at temperature 5`, () => {
  const node = {
    type: "object",
    properties: {
      v: { type: "integer" },
      next: { anyOf: [{ $ref: "#/$defs/node" }, { type: "null" }] },
    },
    required: ["v", "next"],
    additionalProperties: false,
  };
  const schemas: readonly (boolean | Record<string, unknown>)[] = [
    person,
    {
      type: "array",
      items: { type: "number", minimum: -1.5, exclusiveMaximum: 2 },
      minItems: 2,
      maxItems: 4,
    },
    {
      oneOf: ["a", "b"].map((kind) => ({
        type: "object",
        properties: { kind: { const: kind }, at: { type: "string", format: "date-time" } },
        required: ["kind", "at"],
        additionalProperties: false,
      })),
    },
    { $defs: { node }, $ref: "#/$defs/node" },
    {
      type: "object",
      additionalProperties: { type: ["boolean", "null"] },
      propertyNames: { pattern: "^[a-z]+$", maxLength: 5 },
      minProperties: 1,
    },
    { type: "string", pattern: "^(ab|[^b])+$", maxLength: 30 },
    { type: "integer", multipleOf: 13, minimum: -500 },
    true,
  ];
  const ajv = new Ajv2020({ strict: false });
  addFormats.default(ajv);

  /** Judges one answer; false: it was cut. */
  async function isEnded(index: number): Promise<boolean> {
    const schema = schemas[index % schemas.length] ?? true;
    const free = { temperature: 5, topK: 0, topP: 1, minP: 0 };
    const generation = engine.generate("As JSON: ", {
      schema,
      ...free,
      seed: index,
      maxTokens: 30,
    });
    const { text, finishReason } = await generation.result;
    if (finishReason === "stop") {
      const isValid = ajv.validate(schema, JSON.parse(text));
      expect({ schema, text, isValid }).toEqual({ schema, text, isValid: true });
      return true;
    }
    expect(finishReason).toBe("length");
    // A character whose bytes were not all written is shown as U+FFFD.
    expect(schemaForm(schema).begins(text.replace(/\ufffd$/, ""))).toBe(true);
    return false;
  }

  it("are valid where they ended by themselves, and beginnings of valid ones where they were cut", {
    timeout: 60_000 + answers * 1000,
  }, async () => {
    let ended = 0;
    for (let i = 0; i < answers; i += 8) {
      const group = Array.from({ length: Math.min(8, answers - i) }, (_, at) => isEnded(i + at));
      ended += (await Promise.all(group)).filter(Boolean).length;
    }
    expect(ended).toBeGreaterThan(answers / 8);
    process.stdout.write(`${ended} of ${answers} answers ended by themselves\n`);
  });
});
