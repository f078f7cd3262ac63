/**
 * How long the host's event loop is held while a model loads, reads a prompt and writes: the longest gap between two
 * turns of a 1 ms timer, by phase. Usage: node bench/engine/event-loop.mjs MODEL.gguf [prompt tokens] [answer tokens]
 * The promise (README) is 20 ms. On Linux each longest gap is told apart: time in which this thread ran, time in which
 * it wanted a core and had none (other threads and processes), and the rest, in which it slept or waited for the disk.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { cpus } from "node:os";
import { Engine } from "../../dist/index.js";

const [model, promptTokens = "512", answerTokens = "64"] = process.argv.slice(2);
if (model === undefined) {
  process.stderr.write("usage: node bench/engine/event-loop.mjs MODEL.gguf [prompt] [answer]\n");
  process.exit(2);
}

const schedstat =
  process.platform === "linux" ? openSync("/proc/thread-self/schedstat") : undefined;
const text = Buffer.alloc(64);

/** Milliseconds that this thread has run, and has waited for a core, since it began. */
function shares() {
  if (schedstat === undefined) return { ran: Number.NaN, queued: Number.NaN };
  const [ran, queued] = text.toString("latin1", 0, readSync(schedstat, text, 0, 64, 0)).split(" ");
  return { ran: Number(ran) / 1e6, queued: Number(queued) / 1e6 };
}

let phase = "idle";
const gaps = new Map();
let last = { at: performance.now(), ...shares() };
function turn() {
  const now = { at: performance.now(), ...shares() };
  const list = gaps.get(phase) ?? [];
  const gap = now.at - last.at;
  list.push({ gap, ran: now.ran - last.ran, queued: now.queued - last.queued });
  gaps.set(phase, list);
  last = now;
}
const timer = setInterval(turn, 1);

async function during(name, work) {
  turn();
  phase = name;
  const result = await work();
  await new Promise((resolve) => setTimeout(resolve, 5));
  return result;
}

await during("idle", () => new Promise((resolve) => setTimeout(resolve, 500)));
const engine = await during("load", () =>
  Engine.open(model, { contextLength: Number(promptTokens) + Number(answerTokens) + 8 }),
);
const ids = Array.from(
  { length: Number(promptTokens) },
  (_, i) => 3 + ((i * 7919) % (engine.model.vocabulary - 3)),
);
await during("prompt", () => engine.generate(ids, { temperature: 0, maxTokens: 1 }).result);
await during(
  "answer",
  () => engine.generate([...ids, 7], { maxTokens: Number(answerTokens), ignoreEos: true }).result,
);
engine.close();
clearInterval(timer);

console.log(`${cpus()[0]?.model}, Node ${process.version}, ${engine.device}, ${model}`);
console.log("phase    turns   median   99 %    longest gap (ms) = ran + no core + slept");
for (const [name, list] of gaps) {
  const sorted = list.toSorted((a, b) => a.gap - b.gap);
  const at = (share) =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))].gap.toFixed(2);
  const { gap, ran, queued } = sorted.at(-1);
  const parts = [gap, ran, queued, gap - ran - queued].map((ms) => ms.toFixed(2).padStart(9));
  console.log(
    `${name.padEnd(8)} ${String(sorted.length).padStart(5)} ${at(0.5).padStart(8)} ${at(0.99).padStart(7)} ${parts.join(" ")}`,
  );
}
if (schedstat !== undefined) closeSync(schedstat);
