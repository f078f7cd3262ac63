/** Ctrl-C in commands that keep what they have done: exit code 130, one line, and the same command goes on. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const project = resolve(import.meta.dirname, "../..");
const command = join(project, "bin/hearth.cjs");

let folder = "";
let corpus = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hearth-interrupt-"));
  corpus = join(folder, "corpus.txt");
  const words = readFileSync(join(project, "docs/PAPER.md"), "utf8");
  writeFileSync(corpus, words.repeat(4));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Ctrl-C as soon as `path` holds something. */
async function interruptOnce(path: string, args: readonly string[]) {
  const child = spawn(process.execPath, [command, ...args]);
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text) => {
    stdout += text;
  });
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const closed = once(child, "close");
  while (child.exitCode === null && !(existsSync(path) && statSync(path).size > 0)) await sleep(5);
  child.kill("SIGINT");
  const [code] = await closed;
  return { code, stdout, stderr };
}

/** Two runs of a command that learns, on a machine that may be busy with others. */
const patience = 300_000;

describe.skipIf(process.platform === "win32")("Ctrl-C (not on Windows: no SIGINT to send)", () => {
  it.each([
    ["profile", ["--tokens", "400000"]],
    ["train-predictor", ["--tokens", "3000", "--epochs", "2"]],
    ["prepare", ["--tokens", "3000", "--epochs", "1", "--check-tokens", "64"]],
  ])(
    "in hearth %s stops it, and the same command goes on",
    async (name, flags) => {
      const model = join(folder, `${name}.gguf`);
      copyFileSync(join(project, "models/default.gguf"), model);
      const args = [name, model, "--corpus", corpus, ...flags];
      const { code, stderr, stdout } = await interruptOnce(
        join(folder, `${name}.sparsity.gguf`),
        args,
      );
      expect(code, stderr).toBe(130);
      expect(stderr).toMatch(/^hearth: stopped early; the same command goes on from here$/m);
      expect(stderr).not.toMatch(/abort/i);
      if (name === "profile") return;
      expect(stdout).toBe("");
      const again = spawnSync(process.execPath, [command, ...args, "--json"], { encoding: "utf8" });
      expect(again.status, again.stderr).toBe(0);
      const { predictors } = JSON.parse(again.stdout);
      // Of the four layers, what was trained before Ctrl-C is not trained again.
      expect(predictors.length).toBeLessThan(name === "train-predictor" ? 4 : 5);
    },
    patience,
  );
});
