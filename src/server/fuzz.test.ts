/**
 * Requests that nobody thought of: valid ones of every route with parts exchanged, taken away, repeated and broken. Each
 * answer is what /openapi.json says, and none is an error of the server's own. HEARTH_FUZZ=100000 (prove:fuzz) sends so many.
 */
import { request } from "node:http";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type FieldRoute, fieldRoutes } from "../../test/fixtures/field-cases.ts";
import { startTestServer, type TestServer } from "../../test/fixtures/test-server.ts";
import { isRecord } from "../core/check-options.ts";
import { besideOptions } from "./ollama/fields.ts";

const requests = Number(process.env["HEARTH_FUZZ"] ?? 400);
const atOnce = 8;

let test: TestServer;
beforeAll(async () => {
  test = await startTestServer({ parallel: 4, contextLength: 128 });
});
afterAll(() => test[Symbol.asyncDispose]());

const routes = fieldRoutes(besideOptions);

/** Values from all bodies: what one route takes is tried in the others. */
const values: readonly unknown[] = [
  ...routes.flatMap(({ cases }) => Object.values(cases).map(([, value]) => value)),
  ...[
    null,
    "",
    0,
    -1,
    1e308,
    -0.5,
    2 ** 53,
    2 ** 31,
    true,
    false,
    [],
    {},
    [[]],
    "\0",
    "\ud800",
    "\u2028",
  ],
  ...["a".repeat(5000), Array(300).fill(0), { a: { b: { c: [] } } }, "__proto__", "NaN"],
];

interface Request {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

const anyValue = fc.oneof(
  fc.constantFrom(...values),
  fc.jsonValue({ maxDepth: 3 }),
  fc.integer(),
  fc.double(),
  fc.string({ unit: "binary" }),
);

/** A valid body, some of whose fields are other values, and some fields of other routes. */
const bodyOf = (route: FieldRoute): fc.Arbitrary<unknown> => {
  const names = [...Object.keys(route.cases), ...Object.keys(route.elsewhere ?? {})];
  const field = fc.oneof(
    { arbitrary: fc.constantFrom(...names, "options"), weight: 5 },
    { arbitrary: fc.constantFrom(...routes.flatMap(({ cases }) => Object.keys(cases))), weight: 1 },
    { arbitrary: fc.string(), weight: 1 },
  );
  const changes = fc.array(fc.tuple(field, anyValue), { maxLength: 4 });
  return fc.tuple(fc.boolean(), changes).map(([isShort, all]) => {
    const short = {
      max_tokens: 2,
      n_predict: 2,
      max_output_tokens: 2,
      options: { num_predict: 2 },
    };
    const limits = Object.entries(short).filter(
      ([name]) => names.includes(name) || (name === "options" && route.isOption),
    );
    return { ...route.own, ...(isShort && Object.fromEntries(limits)), ...Object.fromEntries(all) };
  });
};

/** What is no JSON, or none of objects. */
const broken = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom("", "{", "[]", "null", '"x"', "{}", "\ufeff{}", '{"a":1,}', "[".repeat(10_000)),
);

const method = fc.oneof(
  { arbitrary: fc.constant("POST"), weight: 20 },
  { arbitrary: fc.constantFrom("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"), weight: 1 },
);

const anyRequest: fc.Arbitrary<Request> = fc.constantFrom(...routes).chain((route) => {
  const paths = [route.path, `${route.path}/`, `${route.path}?model=x`, `/v1${route.path}`];
  const written = bodyOf(route).map((body) => JSON.stringify(body));
  return fc.record({
    method,
    path: fc
      .oneof({ arbitrary: fc.constant(route.path), weight: 20 }, fc.constantFrom(...paths))
      .chain((path) => (path.includes("{id}") ? slotPath(path) : fc.constant(path))),
    body: fc.oneof({ arbitrary: written, weight: 30 }, { arbitrary: broken, weight: 1 }),
  });
});

function slotPath(path: string): fc.Arbitrary<string> {
  const id = fc.oneof(fc.constantFrom("0", "3", "-1", "1e9", "%00"), fc.nat().map(String));
  const action = fc.constantFrom(
    "",
    "?action=erase",
    "?action=save",
    "?action=restore",
    "?action=x",
  );
  return fc.tuple(id, action).map(([own, then]) => path.replace("{id}", own) + then);
}

/** By hand: a client of the language refuses what is to be tried here. */
function send({ method: verb, path, body }: Request): Promise<Response> {
  return new Promise((resolve, reject) => {
    // Node says no length by itself for methods that seldom have a body.
    const headers = { "content-length": Buffer.byteLength(body) };
    const asked = request(`${test.url}${path}`, { method: verb, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.once("end", () => {
        const status = answer.statusCode ?? 0;
        const received = Object.entries(answer.headers);
        const hasBody = chunks.length > 0 && status !== 204;
        resolve(
          new Response(hasBody ? Buffer.concat(chunks) : null, {
            status,
            headers: Object.fromEntries(received.map(([name, value]) => [name, String(value)])),
          }),
        );
      });
    });
    asked.once("error", (error) => {
      reject(new Error(`${verb} ${path} ${body.slice(0, 2000)}`, { cause: error }));
    });
    asked.end(body);
  });
}

/** What a client can bring about. */
const expected = [200, 400, 403, 404, 405, 413];

it(`${requests} requests are answered as the document says`, {
  timeout: 60_000 + 250 * requests,
}, async () => {
  const counts = new Map<number, number>();
  const one = fc.asyncProperty(
    fc.array(anyRequest, { minLength: atOnce, maxLength: atOnce }),
    async (all) => {
      await Promise.all(
        all.map(async (asked) => {
          const response = await send(asked);
          const { status } = response;
          counts.set(status, (counts.get(status) ?? 0) + 1);
          expect(expected, JSON.stringify(asked)).toContain(status);
          const isKnown = asked.method === "POST" && status < 405;
          if (isKnown) await test.documented.checked(asked.method, asked.path, response).text();
        }),
      );
    },
  );
  await fc.assert(one, { numRuns: Math.ceil(requests / atOnce), seed: 18, endOnFailure: true });
  const answered = [...counts.values()].reduce((sum, count) => sum + count, 0);
  expect(answered).toBeGreaterThanOrEqual(requests);
  expect(counts.get(200)).toBeGreaterThan(requests / 50);
  if (requests > 1000) console.log(JSON.stringify(Object.fromEntries(counts)));
  const after = await test.ask("/v1/completions", { prompt: "Once", max_tokens: 2 });
  expect(isRecord(await after.json())).toBe(true);
});
