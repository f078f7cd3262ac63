/**
 * How long the host's event loop is held while a model loads, reads a prompt and writes: the longest gap between two
 * turns of a 1 ms timer, by phase. Usage: node bench/engine/event-loop.mjs MODEL.gguf [prompt tokens] [answer tokens]
 * The promise (README) is 20 ms; on a busy machine the gaps contain what other processes take.
 */
import { cpus } from "node:os";
import { Engine } from "../../dist/index.js";

const [model, promptTokens = "512", answerTokens = "64"] = process.argv.slice(2);
if (model === undefined) {
  process.stderr.write("usage: node bench/engine/event-loop.mjs MODEL.gguf [prompt] [answer]\n");
  process.exit(2);
}

let phase = "idle";
const gaps = new Map();
let last = performance.now();
const timer = setInterval(() => {
  const now = performance.now();
  const list = gaps.get(phase) ?? [];
  list.push(now - last);
  gaps.set(phase, list);
  last = now;
}, 1);

async function during(name, work) {
  phase = name;
  last = performance.now();
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
console.log("phase    turns   median   99 %    longest gap (ms)");
for (const [name, list] of gaps) {
  const sorted = list.toSorted((a, b) => a - b);
  const at = (share) =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))].toFixed(2);
  console.log(
    `${name.padEnd(8)} ${String(sorted.length).padStart(5)} ${at(0.5).padStart(8)} ${at(0.99).padStart(7)} ${sorted.at(-1).toFixed(2).padStart(10)}`,
  );
}
