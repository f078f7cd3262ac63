// Kills writers at 400 random moments (or as many as are given) and checks what they leave. `npm run prove:kills -- 1000`.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const kills = Number(process.argv[2] ?? 400);
if (!(Number.isInteger(kills) && kills > 0)) {
  console.error(
    `prove-kills: ${process.argv[2]} is no number of kills; expected a whole number of at least 1`,
  );
  process.exit(2);
}
const vitest = fileURLToPath(new URL("../node_modules/vitest/vitest.mjs", import.meta.url));
const { status } = spawnSync(process.execPath, [vitest, "run", "test/end-to-end/kills.test.ts"], {
  stdio: "inherit",
  env: { ...process.env, HEARTH_KILLS: String(kills) },
});
process.exitCode = status ?? 1;
