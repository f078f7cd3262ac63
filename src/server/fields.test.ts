/**
 * Every field of every body changes the answer. The fields are those of /openapi.json: one that is added there without a
 * case in test/fixtures/field-cases.ts fails here.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { modelFolder } from "../../test/fixtures/changed-model.ts";
import {
  type Body,
  type FieldRoute,
  fieldRoutes,
  greedy,
  ownText,
} from "../../test/fixtures/field-cases.ts";
import { jsonOf, startTestServer, type TestServer } from "../../test/fixtures/test-server.ts";
import { isRecord } from "../core/check-options.ts";
import { metadataValue } from "../gguf/value.ts";
import { besideOptions } from "./ollama/fields.ts";

/** It shows what it is given beside the messages. */
const template =
  "{% for m in messages %}{{ m.role }}{{ m.content }}{% endfor %}{{ reasoning_effort }}{{ enable_thinking }}{{ mood }}{% for t in tools or [] %}{{ t.function.name }}{% endfor %}{% if add_generation_prompt %}>{% endif %}";

const folder = modelFolder();
let test: TestServer;
beforeAll(async () => {
  const keys = {
    "tokenizer.chat_template": metadataValue.string(template),
    "tokenizer.ggml.fim_pre_token_id": metadataValue.u32(280),
    "tokenizer.ggml.fim_suf_token_id": metadataValue.u32(281),
    "tokenizer.ggml.fim_mid_token_id": metadataValue.u32(282),
  };
  const model = await folder.write("--arch llama --type f32", { keys });
  test = await startTestServer({ model, contextLength: 1024, parallel: 6 });
});
afterAll(async () => {
  await test[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

interface Schema {
  readonly $ref?: string;
  readonly description?: string;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
}

interface Document {
  readonly paths: Readonly<
    Record<
      string,
      { post?: { requestBody?: { content: Record<"application/json", { schema: Schema }> } } }
    >
  >;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const routes = fieldRoutes(besideOptions);

/** Fields of which the document says so; that they are told in a header, openai/fields.test.ts and others test. */
const isIdle = (description: string): boolean => description.startsWith("Without effect, and");

describe("the cases", () => {
  /** Of each path with a body: its schema's name, and the fields. */
  const described = async (): Promise<
    ReadonlyMap<string, readonly [string, readonly string[]]>
  > => {
    const { paths, components } = await jsonOf<Document>(await fetch(`${test.url}/openapi.json`));
    const resolved = (schema: Schema): Schema => {
      const name = schema.$ref?.split("/").at(-1);
      return name === undefined ? schema : (components.schemas[name] ?? {});
    };
    const found = Object.entries(paths).flatMap(([path, { post }]) => {
      const schema = post?.requestBody?.content["application/json"].schema;
      if (schema === undefined) return [];
      const { options, ...fields } = resolved(schema).properties ?? {};
      const [inOptions = {}] = options?.anyOf ?? [];
      const own = { ...fields, ...inOptions.properties };
      const used = Object.entries(own).filter(([, { description = "" }]) => !isIdle(description));
      return [[path, [schema.$ref ?? path, used.map(([name]) => name)]] as const];
    });
    return new Map(found);
  };

  it("are there for every field of every body, and for no others", async () => {
    const bodies = await described();
    const names = (path: string): string | undefined => bodies.get(path)?.[0];
    // Some bodies have several paths: one of them is enough.
    const tested = new Set(routes.map(({ path }) => names(path)));
    expect(tested).toEqual(new Set([...bodies.values()].map(([name]) => name)));
    for (const { path, cases, elsewhere = {} } of routes) {
      const own = [...Object.keys(cases), ...Object.keys(elsewhere)].sort();
      expect(own, path).toEqual([...(bodies.get(path)?.[1] ?? [])].sort());
    }
  });
});

/** As the route writes it. */
function written({ own, limit, isOption }: FieldRoute, body: Body): Body {
  const { max_tokens, ...others } = body;
  const given =
    limit === undefined || !("max_tokens" in body) ? body : { [limit]: max_tokens, ...others };
  if (isOption === undefined) return { ...own, ...given };
  const entries = Object.entries(given);
  return {
    ...own,
    ...Object.fromEntries(entries.filter(([name]) => !isOption(name))),
    options: Object.fromEntries(entries.filter(([name]) => isOption(name))),
  };
}

/**
 * Status and body, without what changes from one request to the next: ids, times, what caches held, last digits; and
 * without llama-server's settings, which repeat the request.
 */
async function answer(route: FieldRoute, body: Body): Promise<string> {
  const response = await test.ask(route.path, written(route, body));
  const text = await response.text();
  const changing =
    /"(id|item_id|created|created_at|completed_at|timings|\w*(?:duration|cached)\w*)":("[^"]*"|\d+|\{[^}]*\})/g;
  const lasting = text
    .replaceAll(changing, '"$1":0')
    .replaceAll(/"generation_settings":\{(?:[^{}]|\{[^{}]*\})*\},/g, "")
    .replaceAll(
      /"input_tokens":(\d+),"cache_creation_input_tokens":0,"cache_read_input_tokens":(\d+)/g,
      (_, read: string, held: string) => `"input_tokens":${Number(read) + Number(held)}`,
    )
    .replaceAll(/-?\d+\.\d+(e-?\d+)?/g, (number) => Number(number).toFixed(3));
  return `${response.status} ${lasting}`;
}

/** The longest text in an answer that is no name. */
function saidIn(value: unknown, name = ""): string {
  if (typeof value === "string") {
    return ["content", "text", "response"].includes(name) ? value : "";
  }
  const entries = Array.isArray(value)
    ? value.map((one: unknown) => [name, one] as const)
    : isRecord(value)
      ? Object.entries(value)
      : [];
  return entries
    .map(([key, one]) => saidIn(one, key))
    .reduce((a, b) => (a.length > b.length ? a : b), "");
}

const withCases = routes.filter(({ cases }) => Object.keys(cases).length > 0);

describe.each(withCases.map((route) => [route.path, route] as const))("%s", (_, route) => {
  it.concurrent.each(Object.entries(route.cases))(
    "answers otherwise with %s",
    async (field, [base, value]) => {
      let used = value;
      if (value === ownText) {
        const said = saidIn(JSON.parse((await answer(route, base)).slice(4)));
        const letters = [...new Set(said)].filter((one) => one !== " ");
        used = field.startsWith("stop") ? [said.slice(2, 4)] : letters;
      }
      const changed = { ...base, [field]: used };
      const asked = [base, base, changed].map((body) => answer(route, body));
      const [before = "", again, after] = await Promise.all(asked);
      // One of the two is the same each time: Anthropic's bodies have no seed.
      if (before !== again) expect(await answer(route, changed)).toBe(after);
      expect(after).not.toBe(before);
      expect([before.slice(0, 3), field]).toEqual([field === "truncate" ? "400" : "200", field]);
    },
  );
});

describe("cache_prompt", () => {
  const paths = routes.filter(({ elsewhere }) => elsewhere && "cache_prompt" in elsewhere);
  it.each(paths.map((route) => [route.path, route] as const))(
    "reads all of it: %s",
    async (_, route) => {
      const cached = async (body: Body): Promise<number> => {
        const response = await test.ask(route.path, written(route, { ...greedy, ...body }));
        return (await jsonOf<{ timings: { cache_n: number } }>(response)).timings.cache_n;
      };
      await cached({});
      expect(await cached({})).toBeGreaterThan(0);
      expect(await cached({ cache_prompt: false })).toBe(0);
    },
  );
});
