/** Run beside an installed hearth-llm: the bundled model's greedy answers, against golden.json. */
import { readFileSync } from "node:fs";
import { Engine } from "hearth-llm";

const { prompts } = JSON.parse(readFileSync("golden.json", "utf8"));
// Unrounded inputs, as PyTorch has them; `cpu` is an error without the addon.
const engine = await Engine.open("node_modules/hearth-llm/models/default.gguf", {
  device: "cpu",
  exact: true,
  contextLength: 512,
});
let tokens = 0;
for (const { prompt_ids, greedy_ids } of prompts) {
  const options = { temperature: 0, maxTokens: greedy_ids.length, ignoreEos: true };
  const found = [];
  for await (const { token } of engine.generate(prompt_ids, options)) found.push(token);
  if (found.join(" ") !== greedy_ids.join(" ")) {
    throw new Error(`${prompt_ids} is continued with ${found}, expected ${greedy_ids}`);
  }
  tokens += found.length;
}
console.log(`${prompts.length} golden answers, ${tokens} tokens, as expected`);
engine.close();
