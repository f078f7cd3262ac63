/** A sample of `npm run prove:server`: seven seconds of a server under load, whose whole answers are those of single runs. */
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const script = resolve(import.meta.dirname, "../../tools/prove-server.mjs");

it("answers the same under load, and nothing of clients that left runs on", {
  timeout: 120_000,
}, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [script, "--minutes", "0.12"]);
  const { counts, wrong } = JSON.parse(stdout);
  expect(wrong).toEqual([]);
  // Each of them at random: in seven seconds there are at least some.
  const { alone = 0, besideTrouble = 0, moreThanTheQueue = 0 } = counts;
  expect(alone + besideTrouble + moreThanTheQueue).toBeGreaterThan(1);
});
