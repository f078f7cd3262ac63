/**
 * Opens a model, lets it answer and closes it, again and again, and prints what the process holds after each round.
 * Arguments: device, rounds, "close" or "keep" (the planted leak). Needs --expose-gc and Linux's /proc.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Engine } from "../../dist/index.js";

const [device, rounds, ending] = process.argv.slice(2);
const model = fileURLToPath(new URL("../../models/default.gguf", import.meta.url));
const kept = [];

async function round() {
  const engine = await Engine.open(model, { device, threads: 2, contextLength: 256 });
  const answer = engine.generate("Once upon a time", { maxTokens: 4, seed: 1, ignoreEos: true });
  const { tokens } = await answer.result;
  if (tokens.length !== 4) throw new Error("the answer is too short");
  if (ending === "keep") kept.push(engine);
  else engine.close();
}

/** A worker ends and native memory is freed some turns after the last reference is gone. */
async function settle() {
  for (let turn = 0; turn < 3; turn++) {
    globalThis.gc();
    await setTimeout(50);
  }
}

function held() {
  const status = readFileSync("/proc/self/status", "utf8");
  const kibibytes = (key) => Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(status)?.[1]);
  return {
    resident: kibibytes("VmRSS") * 1024,
    mapped: readFileSync("/proc/self/maps", "utf8").split(model).length - 1,
    handles: readdirSync("/proc/self/fd").filter((handle) => !isDriversOwn(handle)).length,
    threads: kibibytes("Threads"),
  };
}

/** SwiftShader keeps a handle of compiled code for each device that it ever had. */
function isDriversOwn(handle) {
  try {
    return readlinkSync(`/proc/self/fd/${handle}`).includes("swiftshader_jit");
  } catch {
    // The handle that listed the folder is closed by now.
    return true;
  }
}

for (let i = 0; i < Number(rounds); i++) {
  await round();
  await settle();
  console.log(JSON.stringify(held()));
}
process.exit();
