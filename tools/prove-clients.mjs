#!/usr/bin/env node
/**
 * Clients that people have, as their packages come: each asks a server of this machine for answers, streams, calls of tools,
 * promised forms and vectors, asks too much, and leaves in the middle. `npm run prove:clients -- [--model FILE] [--packages FOLDER]
 * [--python PYTHON]`: the npm packages are installed into a temporary folder unless one with them is given; without a Python
 * that has openai and litellm, its part is left out, and said so. Exit code 1 where something was wrong.
 */
import { execFileSync, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({
  options: {
    model: { type: "string", default: join(root, "models/default.gguf") },
    packages: { type: "string" },
    python: { type: "string" },
  },
});
const packages = [
  ...["openai@6.49.0", "@anthropic-ai/sdk@1.14.0", "ollama@0.6.4", "zod@4.6.7"],
  ...["@langchain/core@1.4.0", "@langchain/openai@1.5.8", "@langchain/anthropic@1.5.11"],
  ...["@langchain/ollama@1.3.0", "ai@6.0.326", "@ai-sdk/openai@3.0.141"],
  ...["@ai-sdk/openai-compatible@2.0.92", "@ai-sdk/anthropic@3.0.140"],
];
const scripts = ["openai", "anthropic", "ollama", "langchain", "ai-sdk"];

const folder = mkdtempSync(join(tmpdir(), "hearth-clients-"));
const options = {
  model: resolve(values.model),
  parallel: 4,
  contextLength: 1024,
  engine: { device: "cpu" },
};
const server = fork(join(root, "test/fixtures/serve.mjs"), [JSON.stringify(options)]);
const results = [];

try {
  const [{ url }] = await once(server, "message");
  installPackages();
  for (const script of scripts) {
    await run(process.execPath, [join(folder, `${script}.mjs`), url]);
  }
  if (values.python === undefined) console.log("left out: Python's clients (--python PYTHON)");
  else await run(values.python, [join(folder, "trials.py"), url]);
} finally {
  server.kill();
  rmSync(folder, { recursive: true, force: true });
}
const wrong = results.filter(({ isRight }) => !isRight).length;
console.log(`${results.length} trials, ${wrong} wrong`);
if (results.length === 0 || wrong > 0) process.exitCode = 1;

/** The trials stand beside the packages: a module looks for others from where it is. */
function installPackages() {
  cpSync(join(root, "tools/prove-clients"), folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{"private":true,"type":"module"}');
  if (values.packages === undefined) {
    const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", ...packages];
    execFileSync("npm", args, { cwd: folder, stdio: "inherit" });
  } else symlinkSync(resolve(values.packages, "node_modules"), join(folder, "node_modules"));
  for (const one of packages) {
    const name = one.slice(0, one.lastIndexOf("@"));
    const file = join(folder, "node_modules", name, "package.json");
    console.log(`${name} ${JSON.parse(readFileSync(file, "utf8")).version}`);
  }
}

/** Its trials, as it tells them. A script that fails as a whole is a wrong result, too. */
async function run(program, args) {
  // litellm asks for prices in the web otherwise.
  const env = { ...process.env, LITELLM_LOCAL_MODEL_COST_MAP: "True" };
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "close");
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith("{")) continue;
    const result = JSON.parse(line);
    results.push(result);
    const { client, name, isRight, found } = result;
    console.log(`${isRight ? "right" : "WRONG"}  ${client}: ${name}: ${found}`);
  }
  const [code] = await ended;
  if (code === 0) return;
  results.push({ isRight: false });
  console.log(`WRONG  ${args[0]} ended with code ${code}`);
}
