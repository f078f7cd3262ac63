/** Run beside an installed hearth-llm: `hearth serve` with the bundled model, which answers one request, has its page, and is ended. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const entry = createRequire(import.meta.url).resolve("hearth-llm");
const program = join(entry, "../../bin/hearth.cjs");
const model = join(entry, "../../models/default.gguf");
const child = spawn(process.execPath, [program, "serve", "-m", model, "--port", "0"], {
  stdio: ["ignore", "inherit", "pipe"],
});
const ending = once(child, "exit");
for await (const line of createInterface({ input: child.stderr })) {
  const [, address] = /listening on (http:\S+)/.exec(line) ?? [];
  if (address !== undefined) {
    await ask(address).finally(() => child.kill());
    break;
  }
  console.log(line);
}
child.stderr.resume();
const [code] = await ending;
if (code !== 0) throw new Error(`hearth serve ended with ${code}`);

async function ask(address) {
  const answer = await fetch(`${address}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ prompt: "Once upon a time", max_tokens: 8, seed: 1 }),
  });
  const { choices, usage } = await answer.json();
  if (!choices?.[0].text) throw new Error(`hearth serve answers with ${answer.status}`);
  const page = await fetch(address, { headers: { accept: "text/html" } });
  if (!/<html/.test(await page.text())) throw new Error(`hearth serve has no page: ${page.status}`);
  console.log(`answered ${usage.completion_tokens} tokens`);
}
