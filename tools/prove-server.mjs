#!/usr/bin/env node
/**
 * A server under load: answers beside clients that leave, are killed, read slowly, send nonsense or find the queue full. Every
 * answer that comes whole must be its single run's: greedy ones whatever shared their steps, sampled ones alone in
 * theirs for the same seed. In the end nothing runs any more, and memory is flat (judged from two minutes on).
 * `npm run prove:server -- [--minutes 8] [--model FILE]`; exit code 1 if not.
 */
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { root, soakArguments } from "./soak-arguments.mjs";

const { minutes, model } = soakArguments();
const parallel = 4;
const maxQueue = 8;
const prompts = ["Once upon a time", "The sea", "It was a dark", "He said", "Nothing is"];
const seeds = [1, 2, 3, 4];
const answerTokens = 40;
/** What the allocator may keep beyond the first half: pages of heaps, no growth with time. */
const slackBytes = 48 * 2 ** 20;

const options = {
  model,
  parallel,
  maxQueue,
  contextLength: 512,
  engine: { device: "cpu" },
};
const server = fork(join(root, "test/fixtures/serve.mjs"), [JSON.stringify(options)], {
  execArgv: ["--expose-gc"],
});
const ended = once(server, "exit");
const [{ url }] = await Promise.race([once(server, "message"), ended.then(failed)]);
function failed() {
  throw new Error("the server did not start, or ended on its way");
}

const bodyOf = (prompt, extra = {}) => ({
  messages: [{ role: "user", content: prompt }],
  max_tokens: answerTokens,
  temperature: 0,
  ...extra,
});
const greedy = (i) => bodyOf(prompts[i % prompts.length]);
const sampled = (seed) => bodyOf(prompts[seed % prompts.length], { temperature: 0.9, seed });
const long = bodyOf("Tell me all", { max_tokens: 400, ignore_eos: true, stream: true });

function post(body) {
  const headers = { "content-type": "application/json" };
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return fetch(`${url}/v1/chat/completions`, { method: "POST", headers, body: text });
}

/** The text of a whole answer, streamed or not; undefined where the queue was full. */
async function textOf(body) {
  const response = await post(body);
  if (response.status === 429) {
    if (!(Number(response.headers.get("retry-after")) > 0)) wrong.push("a 429 without Retry-After");
    await response.text();
    return undefined;
  }
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  if (!body.stream) return (await response.json()).choices[0].message.content;
  const events = [...(await response.text()).matchAll(/^data: (.*)$/gm)].map(([, data]) => data);
  if (events.pop() !== "[DONE]") throw new Error("a stream without its end");
  return events.map((data) => JSON.parse(data).choices[0]?.delta.content ?? "").join("");
}

async function statusOf(body) {
  const response = await post(body);
  await response.text();
  return response.status;
}

const counts = {};
const wrong = [];
const expected = { greedy: [], sampled: [] };
for (const i of prompts.keys()) expected.greedy.push(await textOf(greedy(i)));
for (const seed of seeds) expected.sampled.push(await textOf(sampled(seed)));

async function expectGreedy(i, extra = {}) {
  const found = await textOf({ ...greedy(i), ...extra });
  const right = expected.greedy[i % prompts.length];
  if (found !== undefined && found !== right) wrong.push(`greedy ${i}: ${found}, not ${right}`);
  return found !== undefined;
}

/** A client on a socket of its own, which does what `then` wants with the answer. */
async function client(body, then) {
  const sent = request(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    agent: false,
  });
  sent.on("error", () => undefined);
  sent.end(JSON.stringify(body));
  const [response] = await once(sent, "response");
  response.on("error", () => undefined);
  await then(response, sent);
}

const upTo = (milliseconds) => sleep(Math.random() * milliseconds);

/** What goes on beside the answers that are compared. */
const troubles = {
  leaves: () =>
    client(long, async (response) => {
      response.resume();
      await upTo(300);
      response.destroy();
    }),
  resets: () =>
    client(long, async (response, sent) => {
      response.resume();
      await upTo(300);
      sent.socket.resetAndDestroy();
    }),
  readsSlowly: () =>
    client({ ...greedy(1), stream: true }, async (response) => {
      for await (const _ of response) await sleep(20);
    }),
  readsNothing: () =>
    client(long, async (response, sent) => {
      response.pause();
      await upTo(600);
      sent.destroy();
    }),
  isKilled: async () => {
    const script = `fetch(process.argv[1], { method: "POST", headers: { "content-type": "application/json" }, body: process.argv[2] }).then((r) => r.text())`;
    const args = ["-e", script, `${url}/v1/chat/completions`, JSON.stringify(long)];
    const child = spawn(process.execPath, args, { stdio: "ignore" });
    const closed = once(child, "close");
    await upTo(600);
    child.kill("SIGKILL");
    await closed;
  },
  sendsNonsense: async () => {
    for (const body of ["{", '{"messages": 3}', JSON.stringify({ ...greedy(0), seed: "x" })]) {
      const status = await statusOf(body);
      if (status !== 400) wrong.push(`${body}: ${status}`);
    }
  },
  asksForTooMuch: async () => {
    const status = await statusOf(bodyOf("word ".repeat(4000)));
    if (status !== 400) wrong.push(`a prompt longer than the context: ${status}`);
  },
};
const names = Object.keys(troubles);

const actions = {
  async alone() {
    const at = Math.floor(Math.random() * seeds.length);
    const found = await textOf(sampled(seeds[at]));
    if (found !== expected.sampled[at]) wrong.push(`seed ${seeds[at]}: ${found}`);
  },
  async besideTrouble() {
    const chosen = names.filter(() => Math.random() < 0.5);
    for (const name of chosen) counts[name] = (counts[name] ?? 0) + 1;
    await Promise.all([
      ...chosen.map((name) => troubles[name]()),
      expectGreedy(0, { stream: true }),
      upTo(100).then(() => expectGreedy(Math.floor(Math.random() * prompts.length))),
    ]);
  },
  async moreThanTheQueue() {
    const count = 2 * (parallel + maxQueue);
    const all = Array.from({ length: count }, (_, i) => expectGreedy(i, { stream: i % 2 === 0 }));
    const answered = (await Promise.all(all)).filter(Boolean).length;
    counts.refusedByTheQueue = (counts.refusedByTheQueue ?? 0) + count - answered;
    if (answered < parallel) wrong.push(`${answered} of ${count} at once were answered`);
  },
};

async function residentBytes() {
  server.send("memory");
  const [{ residentBytes: bytes }] = await once(server, "message");
  return bytes;
}

const deadline = Date.now() + minutes * 60_000;
const resident = [];
let measureAt = Date.now() + (minutes * 60_000) / 16;
while (Date.now() < deadline && wrong.length === 0) {
  const kinds = Object.keys(actions);
  const name = kinds[Math.floor(Math.random() * kinds.length)];
  await Promise.race([actions[name](), ended.then(failed)]);
  counts[name] = (counts[name] ?? 0) + 1;
  // Clients that left are gone before an answer is to be alone.
  await untilIdle();
  if (Date.now() < measureAt) continue;
  measureAt += (minutes * 60_000) / 16;
  resident.push(await residentBytes());
}

/** Nothing holds the model, whoever left and however: within five seconds. */
async function untilIdle() {
  for (const end = Date.now() + 5000; Date.now() < end; await sleep(10)) {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    if (/^llamacpp:requests_processing 0$/m.test(metrics)) return;
  }
  wrong.push("requests hold the model five seconds after their clients left");
}

const health = (await fetch(`${url}/health`)).status;
if (health !== 200) wrong.push(`health is ${health} in the end`);
server.send("close");
const [code, signal] = await ended;
if (code !== 0) wrong.push(`the server ended with ${signal ?? `code ${code}`}`);

const isMemoryJudged = minutes >= 2;
const half = Math.floor(resident.length / 2);
const growth = Math.max(...resident.slice(half)) - Math.max(...resident.slice(0, half));
const mib = (bytes) => Math.round(bytes / 2 ** 20);
const growthMib = isMemoryJudged ? mib(growth) : "not judged under two minutes";
const report = { minutes, counts, wrong, resident_mib: resident.map(mib), growth_mib: growthMib };
console.log(JSON.stringify(report, undefined, 1));
const isFlat = resident.length >= 8 && growth <= slackBytes;
if (wrong.length > 0 || (isMemoryJudged && !isFlat)) process.exitCode = 1;
