/** `hearth bench` and `hearth eval` as a user meets them, and stand-ins for llama-bench and node-llama-cpp. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { writeFakeLlamaBench } from "../fixtures/fake-llama-bench.ts";
import { command } from "../fixtures/packaged.ts";

/** Each test runs a benchmark in processes of its own, which end after 250 s at most. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const project = resolve(import.meta.dirname, "../..");
const model = join(project, "models/default.gguf");

function hearth(args: readonly string[]): {
  status: number | null;
  stdout: string;
  stderr: string;
} {
  return spawnSync(process.execPath, [command, ...args], { encoding: "utf8", timeout: 250_000 });
}

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hearth-bench-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Answers every call at once, or after a wait that makes its speed known: 10 ms for a token. */
const standIn = `
export const LlamaLogLevel = { error: "error" };
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const sequence = {
  clearHistory: async () => {},
  evaluateWithoutGeneratingNewTokens: (tokens) => wait(10 * tokens.length),
  async *evaluate() { for (;;) { await wait(10); yield 1; } },
};
export const getLlama = async () => ({
  loadModel: async () => ({ createContext: async () => ({ getSequence: () => sequence }) }),
});`;

describe("hearth bench", () => {
  const short = ["bench", model, "--sparsity", "dense,gate", "-p", "8", "-n", "6", "-r", "2"];

  it("prints a report as JSON and saves the same", () => {
    const saved = join(folder, "report.json");
    const { stdout, status } = hearth([...short, "--threads", "1", "-o", "json", "--save", saved]);
    expect(status).toBe(0);
    const report = JSON.parse(stdout);
    expect(JSON.parse(readFileSync(saved, "utf8"))).toEqual(report);
    expect(report.results.map(({ test }: { test: string }) => test)).toEqual([
      "pp8",
      "tg6",
      "pp8",
      "tg6",
    ]);
    expect(report.machine.memory_bytes).toBeGreaterThan(0);
    const header = hearth([...short, "--threads", "1", "-o", "csv"]).stdout.split("\n");
    expect(header).toHaveLength(1 + 4 + 1);
  });

  it("runs llama-bench in turn, prints its speed, the ratios of the rounds and the roof", () => {
    const fake = writeFakeLlamaBench(folder);
    const beside = [...short, "--device", "cpu", "--threads", "1", "--against-llama-bench", fake];
    const { results } = JSON.parse(hearth([...beside, "-o", "json"]).stdout);
    expect(results).toHaveLength(4);
    for (const { test, against_llama_bench: against, tokens_per_second: own } of results) {
      const rate = test === "pp8" ? 100 : 50;
      expect(against.program).toBe("llama-bench b42 (abc1234)");
      expect(against.tokens_per_second.samples).toEqual([rate, rate]);
      expect(against.ratio.samples).toEqual(own.samples.map((value: number) => value / rate));
    }
    expect(results[1].roof_bytes_per_second).toBeGreaterThan(0);
    const table = hearth(beside).stdout;
    expect(table).toContain("llama-bench b42 (abc1234) tokens/s | ratio to llama-bench |");
    expect(table).toContain("| 100 (100–100) |");
    const [header = "", row = ""] = hearth([...beside, "-o", "csv"]).stdout.split("\n");
    const at = header.split(",").indexOf("llama_bench_tokens_per_second");
    const cells = row.replaceAll(/"[^"]*"/g, "quoted").split(",");
    expect(cells.slice(at - 1, at + 1)).toEqual(["llama-bench b42 (abc1234)", "100"]);
  });

  it("refuses a llama-bench that is none as a flag typed wrongly, one that fails as a failure", () => {
    const typed = hearth([...short, "--against-llama-bench", "/nowhere/llama-bench"]);
    expect([typed.status, typed.stdout]).toEqual([2, ""]);
    expect(typed.stderr).toContain('hearth: --against-llama-bench: "/nowhere/llama-bench", which');
    const failing = hearth([
      ...short,
      "--against-llama-bench",
      `${writeFakeLlamaBench(folder)} --fake=fail`,
    ]);
    expect([failing.status, failing.stdout]).toEqual([1, ""]);
    expect(failing.stderr).toContain("llama-bench ended with code 1: error: failed to load model");
  });

  it("runs node-llama-cpp from where it is told to, in turn, and prints ratios", () => {
    const home = join(folder, "node_modules/node-llama-cpp");
    mkdirSync(join(home, "dist"), { recursive: true });
    writeFileSync(join(home, "package.json"), '{"type":"module","version":"0.0.1"}');
    writeFileSync(join(home, "dist/index.js"), standIn);
    const { stdout } = hearth([
      ...short,
      "--device",
      "cpu",
      "--against-from",
      folder,
      "-o",
      "json",
    ]);
    const { against } = JSON.parse(stdout).results[1];
    expect(against.program).toBe("node-llama-cpp 0.0.1");
    // 10 ms for a token is 100 tokens/s; a timer is never early by more than a millisecond.
    expect(against.tokens_per_second.median).toBeLessThan(1000 / 9);
    expect(against.ratio.samples).toHaveLength(2);
  });

  it("says how to get node-llama-cpp where it is not", () => {
    const { status, stderr } = hearth([...short, "--against-from", tmpdir()]);
    expect(status).toBe(1);
    expect(stderr).toContain("npm install node-llama-cpp");
  });
});

describe("hearth eval and perplexity --compare", () => {
  it("ask the questions of a folder and print accuracies beside the dense model's", () => {
    mkdirSync(join(folder, "rte"));
    const rows = [
      "premise,hypothesis,label",
      "It rained.,It was wet.,entailment",
      "A.,B.,not_entailment",
    ];
    writeFileSync(join(folder, "rte/dev.csv"), `${rows.join("\n")}\n`);
    const args = ["eval", model, "--task", "rte", "--data", folder, "--compare", "dense"];
    const result = JSON.parse(hearth([...args, "--json"]).stdout);
    expect(result.tasks[0]).toMatchObject({ task: "rte", questions: 2, few_shot: 0 });
    expect(Object.keys(result.tasks[0].metrics.acc)).toContain("difference_standard_error");
    expect(hearth(args).stdout).toContain("± ");
    writeFileSync(join(folder, "rte/dev.csv"), `${rows.join("\n")}\nx\n`);
    const { status, stderr } = hearth(args);
    expect([status, stderr.includes("line 4")]).toEqual([1, true]);
  });

  it("give the divergence of an exact method as next to nothing", () => {
    const text = join(folder, "text.txt");
    writeFileSync(
      text,
      "It was a dark and stormy night, and the rain fell upon the house. ".repeat(12),
    );
    const args = ["perplexity", model, "--file", text, "-c", "64"];
    const flags = ["--sparsity", "gate", "--compare", "dense", "--json"];
    const result = JSON.parse(hearth([...args, ...flags]).stdout);
    expect(result.kl_divergence.mean).toBeLessThan(1e-3);
    expect(result.top_agreement.mean).toBeGreaterThan(0.95);
  });
});
