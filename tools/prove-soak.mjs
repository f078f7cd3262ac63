#!/usr/bin/env node
/**
 * A soak: answers beside terminated workers, aborted answers, readers that leave and killed clients, for minutes. At the
 * end memory must be flat and every answer the same as at the beginning: sampled ones alone in their step for the same
 * seed, greedy ones whatever shared their steps. `npm run prove:soak -- [--minutes 8] [--model FILE]`; exit code 1 if not.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { Engine } from "../dist/index.js";
import { root, soakArguments } from "./soak-arguments.mjs";

const { minutes, model } = soakArguments();
const options = { device: "cpu", sequences: 4, contextLength: 256 };
const prompts = ["Once upon a time", "The sea", "It was a dark", "He said", "Nothing is"];
/** What the allocator may keep beyond the first minute: pages of heaps, no growth with time. */
const slackBytes = 48 * 2 ** 20;

let engine = await Engine.open(model, options);
const sampled = (seed, extra = {}) =>
  engine.generate(prompts[seed % prompts.length], { seed, maxTokens: 40, ...extra });
const greedy = (i, extra = {}) =>
  engine.generate(prompts[i % prompts.length], { temperature: 0, maxTokens: 40, ...extra });
const tokensOf = async (generation) => (await generation.result).tokens.join(" ");

const seeds = [1, 2, 3, 4, 5, 6, 7, 8];
const expected = { sampled: [], greedy: [] };
for (const seed of seeds) expected.sampled.push(await tokensOf(sampled(seed)));
for (const i of prompts.keys()) expected.greedy.push(await tokensOf(greedy(i)));

const counts = {};
const wrong = [];
function compare(name, found, right) {
  if (found !== right) wrong.push(`${name}: ${found} in place of ${right}`);
}

const actions = {
  async alone() {
    const at = Math.floor(Math.random() * seeds.length);
    compare(`seed ${seeds[at]}`, await tokensOf(sampled(seeds[at])), expected.sampled[at]);
  },
  async together() {
    const stop = new AbortController();
    const others = [0, 1, 2].map((i) => sampled(100 + i, { signal: stop.signal }).result);
    const i = Math.floor(Math.random() * prompts.length);
    const answer = tokensOf(greedy(i));
    await sleep(Math.random() * 20);
    stop.abort();
    compare(`greedy ${i}`, await answer, expected.greedy[i]);
    await Promise.all(others);
  },
  async readerLeaves() {
    for await (const _ of sampled(50)) if (Math.random() < 0.2) break;
  },
  async callbackThrows() {
    const onPromptProgress = () => {
      throw new Error("a caller's own trouble");
    };
    await sampled(51, { onPromptProgress }).result.catch(() => {});
  },
  async reopen() {
    engine.close();
    engine = await Engine.open(model, options);
  },
  async terminatedWorker() {
    const script = join(root, "test/fixtures/terminate.mjs");
    const list = [join(root, "dist/index.js"), model, JSON.stringify({ device: "cpu" })];
    const worker = new Worker(script, { workerData: list });
    await Promise.race([once(worker, "message"), sleep(Math.random() * 2000)]);
    await sleep(Math.random() * 60);
    await worker.terminate();
  },
  async killedClient() {
    const args = [join(root, "dist/cli/main.js"), "run", "-m", model, "-n", "400", "The"];
    const client = spawn(process.execPath, args, { stdio: "ignore" });
    const closed = once(client, "close");
    await sleep(Math.random() * 1500);
    client.kill("SIGKILL");
    await closed;
  },
};
const names = Object.keys(actions);

const deadline = Date.now() + minutes * 60_000;
const resident = [];
let measureAt = Date.now() + (minutes * 60_000) / 16;
while (Date.now() < deadline && wrong.length === 0) {
  const name = names[Math.floor(Math.random() * names.length)];
  await actions[name]();
  counts[name] = (counts[name] ?? 0) + 1;
  if (Date.now() < measureAt) continue;
  measureAt += (minutes * 60_000) / 16;
  globalThis.gc?.();
  resident.push(process.memoryUsage.rss());
}
engine.close();

const half = Math.floor(resident.length / 2);
const growth = Math.max(...resident.slice(half)) - Math.max(...resident.slice(0, half));
const mib = (bytes) => Math.round(bytes / 2 ** 20);
const report = { minutes, counts, wrong, resident_mib: resident.map(mib), growth_mib: mib(growth) };
console.log(JSON.stringify(report, undefined, 1));
if (wrong.length > 0 || resident.length < 8 || growth > slackBytes) process.exitCode = 1;
