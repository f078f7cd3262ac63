#!/usr/bin/env node
/**
 * deploy/nginx.conf and deploy/litellm.yaml before two replicas on this machine: pieces come as they are written, the replica
 * with the fewest answers gets the next, one that is killed costs no client its answer but those it was writing, errors keep their
 * status. `npm run prove:deploy -- [--nginx nginx] [--litellm litellm]`: without one of them its part is left out, and said so.
 */
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({
  options: { nginx: { type: "string" }, litellm: { type: "string" } },
});
const folder = mkdtempSync(join(tmpdir(), "hearth-deploy-"));
// nginx's workers are another user where it is started by root.
chmodSync(folder, 0o755);
const key = "key-of-hearth";
const masterKey = "sk-key-of-litellm";
const parallel = 4;
const results = [];
const children = [];

function check(name, isRight, found) {
  results.push({ name, isRight, found });
  console.log(`${isRight ? "right" : "WRONG"}  ${name}: ${found}`);
}

async function startReplica() {
  const options = {
    model: join(root, "models/default.gguf"),
    parallel,
    maxQueue: 4,
    contextLength: 1024,
    apiKeys: [key],
    engine: { device: "cpu", threads: 1 },
  };
  const child = fork(join(root, "test/fixtures/serve.mjs"), [JSON.stringify(options)]);
  children.push(child);
  const [{ url }] = await once(child, "message");
  return { child, url };
}

/** How many answers a replica has written, of whatever end. */
async function answersOf({ url }) {
  const headers = { authorization: `Bearer ${key}` };
  const text = await (await fetch(`${url}/metrics`, { headers })).text();
  const counts = [...text.matchAll(/^hearth_answers_total\{.*\} (\d+)$/gm)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

function ask(url, bearer, { tokens = 16, model = "default", ...extra } = {}) {
  return fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${bearer}` },
    body: JSON.stringify({
      model,
      messages: [{ role: "user", content: "Once upon a time" }],
      max_tokens: tokens,
      temperature: 0,
      ...extra,
    }),
  });
}

async function textOf(response) {
  const body = await response.json();
  return body.choices?.[0]?.message?.content ?? JSON.stringify(body);
}

/** Times of pieces, in milliseconds from the first to the last, and how many reads they came in. */
async function streamed(response) {
  const times = [];
  for await (const _ of response.body) times.push(performance.now());
  return { reads: times.length, milliseconds: times.at(-1) - times[0] };
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

async function untilUp(url, headers = {}) {
  for (let i = 0; i < 1200; i++) {
    const response = await fetch(url, { headers }).catch(() => undefined);
    await response?.text();
    if (response?.ok) return;
    await sleep(100);
  }
  throw new Error(`${url} does not answer`);
}

function start(program, args, env = {}) {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: "ignore" });
  children.push(child);
  return child;
}

/** What both have to do; `front`: an address, a key and the name of the model there. */
async function checkFront(name, { url, bearer, model }, replicas) {
  const alone = await textOf(await ask(replicas[0].url, key));
  const before = await Promise.all(replicas.map(answersOf));
  const texts = await Promise.all(
    Array.from({ length: 6 }, async () => textOf(await ask(url, bearer, { model }))),
  );
  check(
    `${name}: answers are a replica's own`,
    texts.every((text) => text === alone),
    texts[0],
  );
  const after = await Promise.all(replicas.map(answersOf));
  const shares = after.map((count, i) => count - before[i]);
  check(`${name}: six at once go to both`, Math.min(...shares) >= 2, shares.join(" and "));

  const { reads, milliseconds } = await streamed(
    await ask(url, bearer, { model, tokens: 200, stream: true, ignore_eos: true }),
  );
  check(
    `${name}: pieces come as they are written`,
    reads > 10,
    `${reads} reads in ${Math.round(milliseconds)} ms`,
  );

  const messages = [{ role: "user", content: "word ".repeat(5000) }];
  const long = await ask(url, bearer, { model, messages });
  check(
    `${name}: an error keeps its status`,
    long.status === 400,
    `${long.status} ${(await long.text()).slice(0, 90)}`,
  );
  const stranger = await ask(url, "wrong", { model });
  await stranger.text();
  check(`${name}: a wrong key is refused`, [400, 401].includes(stranger.status), stranger.status);
}

/** The first replica is killed while both answer; the other goes on, and whoever asks next hears nothing of it. */
async function checkKill(name, { url, bearer, model }, [first]) {
  const asked = { model, tokens: 900, stream: true, ignore_eos: true };
  // More than one replica has places for: both are writing when the first has ended.
  const streams = Array.from({ length: 6 }, async () => {
    const response = await ask(url, bearer, asked);
    const parts = response.body.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
    const { value } = await parts.next();
    return { parts, begun: value };
  });
  const begun = await Promise.all(streams);
  first.child.kill("SIGKILL");
  const whole = (await Promise.all(begun.map(isWhole))).filter(Boolean).length;
  check(
    `${name}: answers of the other replica end whole`,
    whole >= 1 && whole < begun.length,
    `${whole} of ${begun.length}`,
  );
  const statuses = [];
  for (let i = 0; i < 8; i++) {
    const response = await ask(url, bearer, { model });
    await response.text();
    statuses.push(response.status);
  }
  check(
    `${name}: nobody hears of a killed replica`,
    statuses.every((one) => one === 200),
    statuses.join(" "),
  );
}

/** Whether the rest of a stream comes to its end. */
async function isWhole({ parts, begun }) {
  let text = begun;
  try {
    for await (const part of parts) text += part;
  } catch {
    return false;
  }
  return text.includes("[DONE]");
}

async function proveNginx(replicas) {
  const port = await freePort();
  const text = readFileSync(join(root, "deploy/nginx.conf"), "utf8")
    .replace("listen 8000", `listen 127.0.0.1:${port}`)
    .replace("hearth-1:8080", new URL(replicas[0].url).host)
    .replace("hearth-2:8080", new URL(replicas[1].url).host)
    .replaceAll("/tmp/hearth-nginx", join(folder, "nginx"));
  const file = join(folder, "nginx.conf");
  writeFileSync(file, text);
  start(values.nginx, ["-c", file, "-p", folder, "-g", "daemon off;"]);
  const front = { url: `http://127.0.0.1:${port}`, bearer: key, model: "default" };
  await untilUp(`${front.url}/health`);
  await checkFront("nginx", front, replicas);
  // 4 under way and 4 waiting at each: more than one replica has room for, and none is refused.
  const many = await Promise.all(Array.from({ length: 14 }, () => ask(front.url, key)));
  await Promise.all(many.map((one) => one.text()));
  const statuses = many.map(({ status }) => status);
  check(
    "nginx: a full replica's answers are the other's",
    statuses.every((one) => one === 200),
    statuses.join(" "),
  );
  await checkKill("nginx", front, replicas);
}

async function proveLiteLlm(replicas) {
  const port = await freePort();
  const text = readFileSync(join(root, "deploy/litellm.yaml"), "utf8")
    .replace("http://hearth-1:8080", replicas[0].url)
    .replace("http://hearth-2:8080", replicas[1].url);
  const file = join(folder, "litellm.yaml");
  writeFileSync(file, text);
  const env = {
    HEARTH_API_KEY: key,
    LITELLM_MASTER_KEY: masterKey,
    LITELLM_LOCAL_MODEL_COST_MAP: "True",
  };
  start(values.litellm, ["--config", file, "--host", "127.0.0.1", "--port", `${port}`], env);
  const front = { url: `http://127.0.0.1:${port}`, bearer: masterKey, model: "hearth" };
  await untilUp(`${front.url}/health/liveliness`);
  await checkFront("LiteLLM", front, replicas);
  await checkKill("LiteLLM", front, replicas);
}

try {
  for (const [name, program, prove] of [
    ["nginx", values.nginx, proveNginx],
    ["LiteLLM", values.litellm, proveLiteLlm],
  ]) {
    if (program === undefined) {
      console.log(`left out: ${name} (--${name.toLowerCase()} PROGRAM)`);
      continue;
    }
    await prove([await startReplica(), await startReplica()]);
  }
} finally {
  for (const child of children) child.kill();
  rmSync(folder, { recursive: true, force: true });
}
if (results.length === 0 || results.some(({ isRight }) => !isRight)) process.exitCode = 1;
