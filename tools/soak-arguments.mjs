/** What the proofs take that run for minutes: `[--minutes 8] [--model FILE]`. Exit code 2 for minutes that are none. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

export const root = fileURLToPath(new URL("..", import.meta.url));

export function soakArguments() {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "8" },
      model: { type: "string", default: join(root, "models/default.gguf") },
    },
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) {
    console.error(`--minutes: "${values.minutes}" is not usable; expected a number above 0`);
    process.exit(2);
  }
  return { minutes, model: values.model };
}
