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
import { command } from "../fixtures/packaged.ts";

const project = resolve(import.meta.dirname, "../..");

let folder = "";
let corpus = "";
/** Minutes of work for profile, which writes nothing before it ends. */
let longCorpus = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hearth-interrupt-"));
  corpus = join(folder, "corpus.txt");
  const words = readFileSync(join(project, "docs/PAPER.md"), "utf8");
  writeFileSync(corpus, words.repeat(4));
  longCorpus = join(folder, "long.txt");
  writeFileSync(longCorpus, words.repeat(200));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Ctrl-C as soon as `path` holds something, or after some seconds of a command that writes nothing before it ends. */
async function interruptOnce(path: string | undefined, args: readonly string[]) {
  const child = spawn(process.execPath, [command, ...args]);
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text) => {
    stdout += text;
  });
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const closed = once(child, "close");
  if (path === undefined) await sleep(5000);
  else
    while (child.exitCode === null && !(existsSync(path) && statSync(path).size > 0))
      await sleep(5);
  child.kill("SIGINT");
  const [code] = await closed;
  return { code, stdout, stderr };
}

/** Two runs of a command that learns, on a machine that may be busy with others. */
const patience = 300_000;

describe.skipIf(process.platform === "win32")("Ctrl-C (not on Windows: no SIGINT to send)", () => {
  it.each([
    ["profile", ["--tokens", "4000000"]],
    ["train-predictor", ["--tokens", "3000", "--epochs", "2"]],
    ["prepare", ["--tokens", "3000", "--epochs", "1", "--check-tokens", "64"]],
  ])(
    "in hearth %s stops it, and the same command goes on",
    async (name, flags) => {
      const model = join(folder, `${name}.gguf`);
      copyFileSync(join(project, "models/default.gguf"), model);
      const isLong = name === "profile";
      const args = [name, model, "--corpus", isLong ? longCorpus : corpus, ...flags];
      const sidecar = join(folder, `${name}.sparsity.gguf`);
      const { code, stderr, stdout } = await interruptOnce(isLong ? undefined : sidecar, args);
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
